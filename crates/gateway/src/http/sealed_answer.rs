//! Answers to sealed requests, sealed with the bank's own key. An answer is held until all of it is there, since its digest stands
//! before it.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use http::{HeaderName, HeaderValue, Response, response::Parts};
use hyper::body::Incoming;
use portcullis_seal::{ResponseHead, SealError, Sealer};

use crate::{
    http::{body::OutgoingBody, seal_refusal::SealRefusal, sealed_body::Gathering},
    shard::unix_now,
    spool::Spool,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What an answer of an upstream says of its own seal would contradict ours, and its trailer fields do not pass.
const REPLACED: [&str; 4] = ["content-digest", "signature-input", "signature", "trailer"];

/// How the answer to one request is sealed.
#[derive(Debug)]
pub(crate) struct AnswerSeal {
    pub(crate) sealer: Arc<Sealer>,
    /// The `X-Request-ID` of the request, by which its sender knows that the answer is to it.
    pub(crate) request_id: Option<HeaderValue>,
    pub(crate) memory_bytes_max: usize,
    pub(crate) bytes_max: u64,
}

impl AnswerSeal {
    /// The sealed answer, and what the upstream left unread of the request's body.
    ///
    /// # Errors
    /// [`SealRefusal`]: it did not come whole, is too long, or cannot be held or sealed.
    pub(crate) async fn seal(
        self,
        response: Response<OutgoingBody>,
        spool: &Arc<Spool>,
    ) -> (Result<Response<OutgoingBody>, SealRefusal>, Option<Incoming>) {
        let (head, mut body) = response.into_parts();
        let sealed = self.seal_whole(head, &mut body, spool).await;
        (sealed, body.take_unread())
    }

    async fn seal_whole(
        self,
        mut head: Parts,
        body: &mut OutgoingBody,
        spool: &Arc<Spool>,
    ) -> Result<Response<OutgoingBody>, SealRefusal> {
        let (mut digest, mut gathering, mut length) = (Context::new(&SHA256), Gathering::default(), 0);
        while let Some(data) = body.next_data().await {
            let data = data?;
            length += data.len() as u64;
            if length > self.bytes_max {
                return Err(SealRefusal::AnswerTooLong { bytes_max: self.bytes_max });
            }
            digest.update(&data);
            gathering.push(&data, self.memory_bytes_max, spool).await?;
        }
        self.seal_head(&mut head, digest.finish().as_ref()).map_err(SealRefusal::Answer)?;
        Ok(Response::from_parts(head, OutgoingBody::held(gathering.end(length).await?)))
    }

    /// Puts the seal of an answer whose body has that digest into its head.
    fn seal_head(self, head: &mut Parts, body_sha256: &[u8]) -> Result<(), SealError> {
        REPLACED.iter().for_each(|name| drop(head.headers.remove(*name)));
        // Whatever the upstream says: by this the client knows which of its requests is answered.
        match self.request_id {
            Some(request_id) => drop(head.headers.insert(REQUEST_ID, request_id)),
            None => drop(head.headers.remove(REQUEST_ID)),
        }
        let fields: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let sealed = ResponseHead { status: head.status.as_u16(), fields: &fields };
        for (name, value) in self.sealer.response(&sealed, body_sha256, unix_now())? {
            let value = HeaderValue::try_from(value)
                .map_err(|error| SealError::SigningKey { reason: error.to_string().into() })?;
            head.headers.insert(name, value);
        }
        Ok(())
    }
}
