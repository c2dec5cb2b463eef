//! An assessment in words, for a TPP's engineer at a terminal.
//!
//! The certificate is hostile: whatever of it is shown passes [`Safe`] first, so that no control or formatting character
//! reaches the terminal.

use std::fmt::{self, Display, Formatter};

use portcullis_identity::{OrganizationIdentifier, QcStatements, Roles, distinguished_name, oid};
use portcullis_policy::{Assessment, Finding, Registration, RevocationCheck, Severity};
use portcullis_trust::{KnownStatus, Listing, RevocationReason};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Columns of the text; findings are wrapped at it.
const WIDTH: usize = 100;
/// Columns of what stands before a finding's sentences, and before a value.
pub(crate) const INDENT: usize = 6;
pub(crate) const LABEL: usize = 15;
const DAY_S: i64 = 86_400;

/// The whole text.
pub(crate) struct Report<'a> {
    pub(crate) assessment: &'a Assessment,
    pub(crate) profile: &'a str,
    pub(crate) at: OffsetDateTime,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.fmt_verdict(f)?;
        for finding in &self.assessment.findings {
            fmt_finding(finding, f)?;
        }
        writeln!(f)?;
        self.fmt_subject(f)?;
        self.fmt_key(f)?;
        self.fmt_psd2(f)?;
        self.fmt_sources(f)?;
        self.fmt_status(f)?;
        let identity = &self.assessment.identity;
        row(f, "SHA-256", identity.thumbprint)?;
        // The last line ends with what prints it.
        write!(f, "{:LABEL$}{}", "key SHA-256", identity.spki_sha256)
    }
}

impl Report<'_> {
    fn fmt_verdict(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let assessment = self.assessment;
        let verdict = if assessment.is_admitted() { "admitted" } else { "refused" };
        let count = |severity| assessment.findings.iter().filter(|found| found.severity == severity).count();
        let (deny, warn, note) = (count(Severity::Deny), count(Severity::Warn), count(Severity::Note));
        let at = rfc3339(self.at.unix_timestamp());
        writeln!(
            f,
            "{verdict} under {} at {at}; findings: {deny} deny, {warn} warn, {note} note",
            self.profile
        )?;
        match &assessment.path {
            None => writeln!(
                f,
                "The certificate was judged alone; give --anchors or --trust to judge the path to a trusted CA."
            ),
            Some(Ok(path)) => {
                writeln!(f, "There is a path to the trust anchor {}.", path.anchor())?;
                match path.listing() {
                    Some(listing) => {
                        let since = rfc3339(listing.granted_since);
                        let Listing { service, provider, territory, .. } = listing;
                        let sentence = format!(
                            "It was issued by {service} of {provider}, granted in {territory} since {since}."
                        );
                        writeln!(f, "{}", Safe(sentence))
                    }
                    None => Ok(()),
                }
            }
            Some(Err(error)) => {
                writeln!(f, "\nDENY  {}  (RFC 5280 6.1)", error.code())?;
                wrapped(f, &Safe(error).to_string())
            }
        }
    }

    fn fmt_subject(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let identity = &self.assessment.identity;
        let issuer = distinguished_name(&identity.issuer);
        row(f, "subject", Safe(&identity.subject.distinguished_name))?;
        row(f, "issuer", Safe(issuer.as_deref().unwrap_or("a name that cannot be read")))?;
        row(f, "serial number", &identity.serial_number)?;
        let validity = identity.validity;
        let left = (validity.not_after - self.at.unix_timestamp()).div_euclid(DAY_S);
        let left =
            if left < 0 { format!("ended {} days before", -left) } else { format!("{left} days left") };
        let (from, to) = (rfc3339(validity.not_before), rfc3339(validity.not_after));
        row(f, "validity", format_args!("{from} to {to}, {left}"))
    }

    fn fmt_key(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let identity = &self.assessment.identity;
        let key = match &identity.key {
            None => "cannot be read".to_owned(),
            Some(key) => match key.bits {
                Some(bits) => format!("{}, {bits} bits", key.algorithm),
                None => key.algorithm.to_string(),
            },
        };
        row(f, "key", format_args!("{key}; signed with {}", identity.signature_algorithm))?;
        row(
            f,
            "usage",
            format_args!("{}; {}", names(&identity.key_usage), names(&identity.extended_key_usage)),
        )?;
        let policies = identity.policies.iter().flat_map(|policies| policies.iter().map(policy));
        row(f, "policies", list(policies))?;
        if let Some(qc) = &identity.qc {
            row(f, "qualified", qualified(qc))?;
        }
        Ok(())
    }

    fn fmt_psd2(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let identity = &self.assessment.identity;
        if let Some(psd2) = &identity.psd2 {
            let entries =
                psd2.role_entries.iter().map(|entry| format!("{} ({})", Safe(&entry.name), entry.oid));
            row(f, "PSD2 roles", list(entries))?;
            row(f, "authority", format_args!("{} ({})", Safe(&psd2.nca_name), Safe(&psd2.nca_id)))?;
        }
        if let Some(OrganizationIdentifier::Psd(authorisation)) = identity.organization_identifier() {
            let (country, nca) = (authorisation.country, authorisation.nca);
            row(f, "authorisation", format_args!("{} of {country}-{nca}", Safe(authorisation.number)))?;
        }
        Ok(())
    }

    fn fmt_sources(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let identity = &self.assessment.identity;
        if let Some(names) = &identity.subject_alt_name {
            let addresses = names.ip.iter().map(ToString::to_string);
            row(
                f,
                "names",
                list(safe(&names.dns).chain(addresses).chain(safe(&names.email)).chain(safe(&names.uri))),
            )?;
        }
        if let Some(information) = &identity.authority_information {
            row(f, "OCSP", list(safe(&information.ocsp)))?;
        }
        match &identity.crl_urls {
            Some(urls) => row(f, "CRL", list(safe(urls))),
            None => Ok(()),
        }
    }
}

impl Report<'_> {
    fn fmt_status(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let assessment = self.assessment;
        let revocation = match assessment.revocation {
            RevocationCheck::NotAsked => None,
            RevocationCheck::Exempt => {
                Some("its issuer tells nothing of it, as the certificate says".to_owned())
            }
            RevocationCheck::Known(KnownStatus::Good { until }) => {
                Some(format!("good until {}", rfc3339(until)))
            }
            RevocationCheck::Known(KnownStatus::Revoked(revocation)) => {
                let reason = revocation.reason.map_or("", RevocationReason::as_str);
                Some(format!("revoked since {} {reason}", rfc3339(revocation.at)).trim_end().to_owned())
            }
            RevocationCheck::Known(KnownStatus::Unknown { since: Some(since) }) => {
                Some(format!("unknown since {}", rfc3339(since)))
            }
            RevocationCheck::Known(KnownStatus::Unknown { since: None }) => Some("unknown".to_owned()),
        };
        if let Some(revocation) = revocation {
            row(f, "revocation", revocation)?;
        }
        let registration = match assessment.registration {
            Registration::NotAsked => return Ok(()),
            Registration::Exempt { .. } => "not there, as a bank".to_owned(),
            Registration::Unknown { .. } => "unknown".to_owned(),
            Registration::NotFound { .. } => "not there".to_owned(),
            Registration::Withdrawn { since: Some(since), .. } => {
                format!("withdrawn since {}", rfc3339(since))
            }
            Registration::Withdrawn { since: None, .. } => "not yet authorised".to_owned(),
            Registration::Authorised { roles, passported, .. } if roles == passported => {
                format!("authorised: {}", list(roles.iter().map(|role| role.to_string())))
            }
            Registration::Authorised { roles, passported, .. } => {
                let names = |roles: Roles| list(roles.iter().map(|role| role.to_string()));
                format!("authorised: {}; with a passport: {}", names(roles), names(passported))
            }
        };
        row(f, "register", registration)
    }
}

fn fmt_finding(finding: &Finding, f: &mut Formatter<'_>) -> fmt::Result {
    let severity = finding.severity.as_str().to_ascii_uppercase();
    write!(f, "\n{severity:INDENT$}{}", finding.rule.code())?;
    if let Some(clause) = finding.rule.clause() {
        write!(f, "  ({clause})")?;
    }
    writeln!(f)?;
    wrapped(f, &Safe(&finding.message).to_string())?;
    wrapped(f, &format!("-> {}", finding.rule.hint()))
}

fn row(f: &mut Formatter<'_>, label: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "{label:LABEL$}{value}")
}

/// Writes a sentence in lines of at most [`WIDTH`], where its words are not longer.
fn wrapped(f: &mut Formatter<'_>, sentence: &str) -> fmt::Result {
    let mut column = 0;
    for word in sentence.split_whitespace() {
        let length = word.chars().count();
        if column == 0 || column + 1 + length > WIDTH {
            write!(f, "{}{:INDENT$}{word}", if column == 0 { "" } else { "\n" }, "")?;
            column = INDENT + length;
        } else {
            write!(f, " {word}")?;
            column += 1 + length;
        }
    }
    writeln!(f)
}

/// What serialises as a list of names, as one text.
fn names(usage: &Option<impl serde::Serialize>) -> String {
    let names = usage.as_ref().and_then(|usage| serde_json::to_value(usage).ok());
    let names = names.as_ref().and_then(|names| names.as_array());
    names.map_or("none".to_owned(), |names| {
        list(names.iter().filter_map(|name| name.as_str()).map(str::to_owned))
    })
}

fn policy(content: &[u8]) -> String {
    let name = match content {
        oid::QCP_NATURAL => " QCP-n",
        oid::QCP_LEGAL => " QCP-l",
        oid::QCP_NATURAL_QSCD => " QCP-n-qscd",
        oid::QCP_LEGAL_QSCD => " QCP-l-qscd",
        oid::QCP_WEB => " QCP-w",
        oid::QNCP_WEB => " QNCP-w",
        oid::QNCP_WEB_GENERIC => " QNCP-w-gen",
        oid::QCP_WEB_PSD2 => " QCP-w-psd2",
        _ => "",
    };
    format!("{}{name}", oid::dotted(content))
}

fn qualified(qc: &QcStatements) -> String {
    let compliance = if qc.compliance { "claims to be" } else { "does not claim to be" };
    let types = list(qc.types.iter().map(|qc_type| qc_type.as_str().to_owned()));
    let law = match qc.legislation.is_empty() {
        true => String::new(),
        false => format!("; under the law of {}", list(qc.legislation.iter().cloned())),
    };
    let locations =
        list(qc.pds.iter().map(|location| format!("{} ({})", Safe(&location.url), location.language)));
    format!("{compliance}; type: {types}{law}; disclosure: {locations}")
}

fn safe(texts: &[String]) -> impl Iterator<Item = String> {
    texts.iter().map(|text| Safe(text).to_string())
}

/// Entries of a list that are shown: the rest is in the JSON.
const SHOWN_MAX: usize = 8;

fn list(entries: impl Iterator<Item = String>) -> String {
    let mut entries: Vec<_> = entries.collect();
    let hidden = entries.len().saturating_sub(SHOWN_MAX);
    entries.truncate(SHOWN_MAX);
    if hidden > 0 {
        entries.push(format!("and {hidden} more"));
    }
    if entries.is_empty() { "none".to_owned() } else { entries.join(", ") }
}

pub(crate) fn rfc3339(unix_seconds: i64) -> String {
    let time =
        OffsetDateTime::from_unix_timestamp(unix_seconds).ok().and_then(|time| time.format(&Rfc3339).ok());
    time.unwrap_or_else(|| format!("{unix_seconds} s of Unix time"))
}

/// Characters of a text that are shown: a certificate may hold thousands.
const CHARACTERS_MAX: usize = 400;

/// Text that anybody may have written, fit for a terminal: control characters and those that format, such as turns of
/// the writing direction, are escaped, and it is cut off where it is long.
pub(crate) struct Safe<T>(pub(crate) T);

impl<T: Display> Display for Safe<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        for character in text.chars().take(CHARACTERS_MAX) {
            match character {
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => {
                    write!(f, "{}", character.escape_unicode())?;
                }
                '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}' => {
                    write!(f, "{}", character.escape_unicode())?;
                }
                control if control.is_control() => write!(f, "{}", control.escape_unicode())?,
                plain => write!(f, "{plain}")?,
            }
        }
        if text.chars().nth(CHARACTERS_MAX).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
        let hostile = "a\u{1b}[31mb\u{7}\u{9b}c\u{202e}d\u{2066}\u{feff}\ne\u{200b}ö";
        assert_eq!(
            Safe(hostile).to_string(),
            "a\\u{1b}[31mb\\u{7}\\u{9b}c\\u{202e}d\\u{2066}\\u{feff}\\u{a}e\\u{200b}ö"
        );
        assert_eq!(Safe("x".repeat(CHARACTERS_MAX + 1)).to_string().len(), CHARACTERS_MAX + 3);
    }

    #[test]
    fn sentences_are_wrapped_between_words() {
        struct Wrapped(String);
        impl Display for Wrapped {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                wrapped(f, &self.0)
            }
        }
        let long = Wrapped("word ".repeat(60)).to_string();
        assert_eq!(long.lines().count(), 4);
        assert!(long.lines().all(|line| line.starts_with("      word") && line.len() <= WIDTH));
        let unbroken = Wrapped("x".repeat(300)).to_string();
        assert_eq!(unbroken.lines().count(), 1);
    }

    #[test]
    fn long_lists_are_cut_off() {
        let many = list((0..SHOWN_MAX + 3).map(|number| number.to_string()));
        assert!(many.ends_with("7, and 3 more"), "{many}");
        assert_eq!(list(std::iter::empty()), "none");
    }
}
