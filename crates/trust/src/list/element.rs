//! Elements of a list, as the readers of its parts want them.

use bergshamra::xml::uppsala::{Document, NodeId};

use super::error::ListError;

/// The namespaces of lists (TS 119 612 annex C) and of their signatures.
pub(super) mod ns {
    pub(crate) const LIST: &str = "http://uri.etsi.org/02231/v2#";
    pub(crate) const ADDITIONAL: &str = "http://uri.etsi.org/02231/v2/additionaltypes#";
    pub(crate) const EXTENSION: &str =
        "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#";
    pub(crate) const XADES: &str = "http://uri.etsi.org/01903/v1.3.2#";
    pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
}

/// An element of a document.
#[derive(Clone, Copy)]
pub(super) struct Element<'d> {
    document: &'d Document<'d>,
    node: NodeId,
}

impl<'d> Element<'d> {
    /// The document's outermost element.
    pub(super) fn root(document: &'d Document<'d>) -> Option<Self> {
        Some(Self { document, node: document.document_element()? })
    }

    /// Every element of a name, wherever it is.
    pub(super) fn everywhere(document: &'d Document<'d>, namespace: &str, name: &str) -> Vec<Self> {
        let nodes = document.get_elements_by_tag_name_ns(namespace, name);
        nodes.into_iter().map(|node| Self { document, node }).collect()
    }

    pub(super) const fn node(self) -> NodeId {
        self.node
    }

    pub(super) fn is(self, namespace: &str, name: &str) -> bool {
        self.document.element(self.node).is_some_and(|element| element.matches_name_ns(namespace, name))
    }

    pub(super) fn attribute(self, name: &str) -> Option<&'d str> {
        let element = self.document.element(self.node)?;
        let attribute = element
            .attributes
            .iter()
            .find(|attribute| attribute.name.namespace_uri.is_none() && attribute.name.local_name == name)?;
        Some(attribute.value.as_ref())
    }

    /// `xml:lang`.
    pub(super) fn language(self) -> Option<&'d str> {
        self.document.get_attribute_ns(self.node, "http://www.w3.org/XML/1998/namespace", "lang")
    }

    pub(super) fn parent(self) -> Option<NodeId> {
        self.document.parent(self.node)
    }

    /// The child elements, whatever their names.
    pub(super) fn elements(self) -> impl Iterator<Item = Self> {
        let children = self.document.children_iter(self.node);
        children.filter(move |node| self.document.element(*node).is_some()).map(move |node| self.at(node))
    }

    /// The child elements of a name.
    pub(super) fn children(self, namespace: &str, name: &str) -> impl Iterator<Item = Self> {
        self.document
            .child_elements_by_name_ns(self.node, namespace, name)
            .into_iter()
            .map(move |node| self.at(node))
    }

    /// The child element of a name, of which there must not be two: two readers could take different ones.
    pub(super) fn child(self, namespace: &str, name: &'static str) -> Result<Option<Self>, ListError> {
        let mut children = self.children(namespace, name);
        match (children.next(), children.next()) {
            (Some(_), Some(_)) => {
                Err(ListError::content(format!("there are two elements {name} where one belongs")))
            }
            (child, _) => Ok(child),
        }
    }

    /// The one child element of a name.
    pub(super) fn required(self, namespace: &str, name: &'static str) -> Result<Self, ListError> {
        self.child(namespace, name)?.ok_or_else(|| ListError::content(format!("there is no element {name}")))
    }

    /// Everything below on a way of names, of which each may branch.
    pub(super) fn below(self, way: &[(&str, &str)]) -> Vec<Self> {
        way.iter().fold(vec![self], |at, (namespace, name)| {
            at.into_iter().flat_map(|element| element.children(namespace, name)).collect()
        })
    }

    /// The text within, comments left out as canonicalisation does, without white space around it.
    pub(super) fn text(self) -> String {
        self.document.text_content_deep(self.node).trim().to_owned()
    }

    /// The octets that the text is the base64 of.
    pub(super) fn base64(self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let mut text = self.document.text_content_deep(self.node);
        text.retain(|character| !character.is_ascii_whitespace());
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    }

    const fn at(self, node: NodeId) -> Self {
        Self { document: self.document, node }
    }
}
