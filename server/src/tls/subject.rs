//! The name in a certificate that was verified: what a policy calls its holder.
//!
//! The common name of its subject; when it has none, its first URI, else its first DNS name. A subject with two common names, or that is
//! not laid out as it has to be, names nobody, whatever other names there are. A subject is a sequence of sets of pairs of a type and a
//! text (RFC 5280, section 4.1.2.4); only that much DER is read here.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
/// UTF8String, PrintableString, IA5String: all of them are read as UTF-8.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// See the module. `None` when the certificate names nobody.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    if let Some(name) = common_name(certificate.subject()).ok()? {
        return Some(format!("CN={name}"));
    }
    let uri = certificate.valid_uri_names().next().map(|uri| format!("URI:{uri}"));
    uri.or_else(|| certificate.valid_dns_names().next().map(|name| format!("DNS:{name}")))
}

/// A subject that nobody can be told by.
#[derive(Debug, PartialEq, Eq)]
struct NotOne;

/// The only common name of a subject, which is given with or without its outer sequence; `None` when it has none.
///
/// # Errors
/// Of two names none is believed, nor one in a subject that is laid out in another way.
fn common_name(subject: &[u8]) -> Result<Option<&str>, NotOne> {
    let mut rest = match element(subject) {
        Some((SEQUENCE, inner, [])) => inner,
        _ => subject,
    };
    let mut found = None;
    while !rest.is_empty() {
        let (SET, mut set, after) = element(rest).ok_or(NotOne)? else { return Err(NotOne) };
        rest = after;
        while !set.is_empty() {
            let (SEQUENCE, pair, next) = element(set).ok_or(NotOne)? else { return Err(NotOne) };
            set = next;
            let (OBJECT_ID, kind, value) = element(pair).ok_or(NotOne)? else { return Err(NotOne) };
            if kind == COMMON_NAME {
                let (text, name, []) = element(value).ok_or(NotOne)? else { return Err(NotOne) };
                if found.is_some() || !TEXTS.contains(&text) {
                    return Err(NotOne);
                }
                found = Some(std::str::from_utf8(name).map_err(|_| NotOne)?);
            }
        }
    }
    Ok(found)
}

/// Splits the element at the front off: its tag, its contents, what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            let (&[high, low], rest) = rest.split_first_chunk()?;
            (usize::from(high) << 8 | usize::from(low), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn subject(change: impl FnOnce(&mut CertificateParams)) -> Option<String> {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        of(params.self_signed(&key).expect("a certificate").der())
    }

    #[test]
    fn the_common_name_comes_first_then_uris_then_names() {
        let named = |params: &mut CertificateParams| {
            params.distinguished_name.push(DnType::OrganizationName, "Bank, the \"first\"");
            params.distinguished_name.push(DnType::CommonName, "fraud-model é");
            params.subject_alt_names = vec![SanType::DnsName("a.b".try_into().expect("ASCII"))];
        };
        assert_eq!(subject(named).as_deref(), Some("CN=fraud-model é"));
        let dns = |params: &mut CertificateParams| {
            params.subject_alt_names = vec![SanType::DnsName("a.b".try_into().expect("ASCII"))];
        };
        assert_eq!(subject(dns).as_deref(), Some("DNS:a.b"));
        let both = |params: &mut CertificateParams| {
            dns(params);
            let uri = "spiffe://bank/fraud".try_into().expect("ASCII");
            params.subject_alt_names.push(SanType::URI(uri));
        };
        assert_eq!(subject(both).as_deref(), Some("URI:spiffe://bank/fraud"));
        assert_eq!(subject(|_| {}), None);
    }

    /// What broke: a certificate with two common names was known by its first DNS name.
    #[test]
    fn two_common_names_name_nobody_whatever_other_names_there_are() {
        let two = |params: &mut CertificateParams| {
            params.distinguished_name.push(DnType::CommonName, "fraud-model");
            params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "platform");
            let uri = "spiffe://bank/fraud".try_into().expect("ASCII");
            let dns = "a.b".try_into().expect("ASCII");
            params.subject_alt_names = vec![SanType::URI(uri), SanType::DnsName(dns)];
        };
        assert_eq!(subject(two), None);
    }

    #[test]
    fn two_common_names_name_nobody_and_cut_bytes_neither() {
        let name = |text: &[u8]| {
            let length = u8::try_from(text.len()).expect("short");
            let pair = [&[0x06, 3, 0x55, 4, 3, 0x0c, length][..], text].concat();
            let pair = [&[0x30, u8::try_from(pair.len()).expect("short")][..], &pair].concat();
            [&[0x31, u8::try_from(pair.len()).expect("short")][..], &pair].concat()
        };
        let one = name(b"a");
        assert_eq!(common_name(&one), Ok(Some("a")));
        assert_eq!(common_name(b""), Ok(None));
        assert_eq!(common_name(&[one.clone(), name(b"b")].concat()), Err(NotOne));
        assert_eq!(common_name(&[one.clone(), vec![0]].concat()), Err(NotOne));
        for end in 1..one.len() {
            assert_eq!(common_name(&one[..end]), Err(NotOne), "cut at {end}");
        }
    }
}
