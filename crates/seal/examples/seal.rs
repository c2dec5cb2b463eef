//! Seals a request: `cargo run -p portcullis-seal --example seal -- PROFILE ALGORITHM KEY CERTIFICATE CREATED < DUMP`.
//!
//! PROFILE is `berlin-group` or `message-signatures`, ALGORITHM as in `rsa-v1_5-sha256`, KEY in PKCS#8 and CERTIFICATE
//! both in DER. The request has a line, fields, an empty line and a body, as HTTP/1.1 has them; it is written with the
//! fields of the seal behind its own. A signature of RFC 9421 says that it was created at CREATED, in seconds of Unix time.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::{env, fs};

use portcullis_seal::{Algorithm, Field, Profile, RequestHead, Sealer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [profile, algorithm, key, certificate, created] = arguments.as_slice() else {
        return Err("usage: seal PROFILE ALGORITHM KEY CERTIFICATE CREATED < DUMP".into());
    };
    let profile = Profile::from_name(profile).ok_or("no such profile")?;
    let algorithm = Algorithm::from_name(algorithm).ok_or("no such algorithm")?;
    let sealer = Sealer::from_pkcs8(&fs::read(key)?, &fs::read(certificate)?, algorithm)?;
    let mut dump = Vec::new();
    io::stdin().lock().read_to_end(&mut dump)?;
    io::stdout().lock().write_all(&sealed(&sealer, profile, created.parse()?, &dump)?)?;
    Ok(())
}

fn sealed(sealer: &Sealer, profile: Profile, created_s: i64, dump: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let end = dump.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the head has no end")?;
    let (head, body) = (std::str::from_utf8(&dump[..end])?, &dump[end + 4..]);
    let added = with_head(head, |head| match profile {
        Profile::BerlinGroup => Ok(sealer.berlin_group(head, body)?),
        Profile::MessageSignatures => Ok(sealer.message_signature(head, body, created_s)?),
        _ => Err("no such profile".into()),
    })?;
    let mut message = head.as_bytes().to_vec();
    for (name, value) in added {
        write!(message, "\r\n{name}: {value}")?;
    }
    message.extend(b"\r\n\r\n");
    message.extend(body);
    Ok(message)
}

fn with_head(
    head: &str,
    seal: impl FnOnce(&RequestHead<'_>) -> Result<Vec<Field>, Box<dyn Error>>,
) -> Result<Vec<Field>, Box<dyn Error>> {
    let mut lines = head.split("\r\n");
    let mut parts = lines.next().unwrap_or_default().split(' ');
    let (method, target) = parts.next().zip(parts.next()).ok_or("no request line")?;
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let fields: Option<Vec<_>> =
        lines.map(|line| line.split_once(':').map(|(name, value)| (name, value.trim().as_bytes()))).collect();
    let fields = fields.ok_or("a field has no colon")?;
    let host = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).ok_or("no Host")?;
    let authority = std::str::from_utf8(host.1)?;
    seal(&RequestHead { method, scheme: "https", authority, path, query, fields: &fields })
}
