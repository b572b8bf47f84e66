//! The certificate and the key of the server, as TLS needs them. It opens no connection.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What is spoken on a connection, by the name that the protocol has for it (RFC 7301).
const PROTOCOL: &[u8] = b"http/1.1";

/// Reads a certificate, with those that lead to its root behind it, and its key, both in PEM.
///
/// # Errors
/// What is wrong with which file, and how to mend it. Nothing of a key is repeated.
pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(certificate)?;
    check_validity(certificate, &chain[0], Timestamp::now())?;
    let private = private_key(key)?;
    // The provider is named: a process-wide one may be missing, or be another's choice.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| format!("TLS cannot be set up: {e}"))?;
    let config = builder.with_no_client_auth().with_single_cert(chain, private);
    let mut config = config.map_err(|error| refused(certificate, key, &error))?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| {
        let mend = match e.kind() {
            std::io::ErrorKind::PermissionDenied => "; let the user that the server runs as read it",
            _ => "",
        };
        format!("{}: the {what} cannot be read: {e}{mend}", path.display())
    })
}

/// What a file holds instead of what was looked for.
fn instead(content: &[u8], path: &Path, convert: &str) -> String {
    let has = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
    match content.first() {
        None => "; the file is empty".to_owned(),
        // What ASN.1 begins a certificate and a key with.
        Some(0x30) => {
            let shown = path.display();
            format!("; it looks like DER: openssl {convert} -inform der -in {shown} -out {shown}.pem makes PEM of it")
        }
        _ if has("-----BEGIN CERTIFICATE-----") => "; it holds a certificate: the two files may be swapped".to_owned(),
        _ if has("PRIVATE KEY-----") => "; it holds a private key: the two files may be swapped".to_owned(),
        _ => String::new(),
    }
}

/// The certificates of a file, of which there is at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = read(path, "certificate")?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("{}: this is no whole PEM file: {e}", path.display()))?;
    if chain.is_empty() {
        let instead = instead(&content, path, "x509");
        return Err(format!("{}: no certificate is in it (-----BEGIN CERTIFICATE-----){instead}", path.display()));
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let content = read(path, "key")?;
    let shown = path.display();
    let has = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
    if has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "{shown}: the key is encrypted, and a server has nobody to ask for the passphrase; write it without one, in a \
             file that only the user of the server can read: openssl pkey -in {shown} -out key.pem"
        ));
    }
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            format!("{shown}: no key is in it (-----BEGIN PRIVATE KEY-----){}", instead(&content, path, "pkey"))
        }
        other => format!("{shown}: this is no whole PEM file: {other}"),
    })
}

/// Why certificate and key are no pair that TLS can use.
fn refused(certificate: &Path, key: &Path, error: &rustls::Error) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    match error {
        rustls::Error::InconsistentKeys(_) => format!(
            "{key}: the key does not belong to the first certificate in {certificate}; name the key that this certificate was \
             made with, and let the server's own certificate stand before those of its issuers"
        ),
        rustls::Error::InvalidCertificate(why) => {
            format!("{certificate}: the first certificate in it cannot be used: {why:?}; have it issued anew")
        }
        other => format!(
            "{key}: the key cannot be used: {other}; RSA keys of 2048 bits or more, ECDSA keys on P-256 or P-384, and Ed25519 \
             keys can"
        ),
    }
}

/// A certificate that is over, or not yet valid, would only be refused by each caller, who can tell nobody.
fn check_validity(path: &Path, certificate: &[u8], now: Timestamp) -> Result<(), String> {
    // One that cannot be read is refused where it is used, with the reason.
    let Some((from, until)) = validity(certificate) else { return Ok(()) };
    let shown = path.display();
    if now > until {
        return Err(format!("{shown}: the certificate has expired at {until}; renew it, and put the new one there"));
    }
    if now < from {
        return Err(format!(
            "{shown}: the certificate is valid from {from} on, and it is {now} now; check the clock of this machine, or wait"
        ));
    }
    Ok(())
}

/// From when until when a certificate is valid (RFC 5280, 4.1).
fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, behind)) = element(rest, VERSION) {
        rest = behind;
    }
    // Serial number, algorithm of the signature, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (times, _) = element(rest, SEQUENCE)?;
    let (from, behind) = moment(times)?;
    Some((from, moment(behind)?.0))
}

/// The content of an element of DER with a tag, and what is behind it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first().filter(|_| *found == tag)?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // The length stands in so many bytes of its own; no certificate is longer than four of them can say.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A moment, with a year of two or of four digits, and what is behind it.
fn moment(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    const TWO_DIGITS: u8 = 0x17;
    const FOUR_DIGITS: u8 = 0x18;
    let (text, rest) = element(bytes, TWO_DIGITS).or_else(|| element(bytes, FOUR_DIGITS))?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z').filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    let (year, others) = text.split_at_checked(text.len().checked_sub(10)?)?;
    let is_short = year.len() == 2;
    let year = year.parse::<i16>().ok()?;
    // Years of two digits are those from 1950 on (RFC 5280, 4.1.2.5.1).
    let year = year + if is_short { if year < 50 { 2000 } else { 1900 } } else { 0 };
    let two = |at: usize| others[2 * at..2 * at + 2].parse::<i8>().ok();
    let at = civil::DateTime::new(year, two(0)?, two(1)?, two(2)?, two(3)?, two(4)?, 0).ok()?;
    Some((TimeZone::UTC.to_timestamp(at).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, ServerConnection};

    use super::*;

    /// A certificate for `localhost` with its key, both in PEM.
    fn pair(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        change(&mut params);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Folder(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, content).unwrap();
            path
        }

        #[track_caller]
        fn refuses(&self, certificate: &str, key: &str, says: &[&str]) {
            let (certificate, key) = (self.write("cert.pem", certificate), self.write("key.pem", key));
            let error = load(&certificate, &key).unwrap_err();
            assert!(says.iter().all(|text| error.contains(text)), "{error}");
        }
    }

    /// A handshake in memory; what both agreed upon.
    fn shake_hands(
        server: Arc<ServerConfig>,
        root: &str,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> (Option<Vec<u8>>, Option<ProtocolVersion>) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        let mut client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec(), PROTOCOL.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(server).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        (client.alpn_protocol().map(<[u8]>::to_vec), server.protocol_version())
    }

    #[test]
    fn a_client_that_knows_the_certificate_connects_with_both_versions() {
        let (certificate, key) = pair(|_| {});
        let folder = Folder::new();
        let config = load(&folder.write("cert.pem", &certificate), &folder.write("key.pem", key)).unwrap();
        for (version, number) in
            [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
        {
            let agreed = shake_hands(Arc::clone(&config), &certificate, version);
            assert_eq!(agreed, (Some(PROTOCOL.to_vec()), Some(number)));
        }
    }

    #[test]
    fn a_file_that_is_not_what_it_should_be_is_named_with_what_it_is() {
        let (folder, (certificate, key)) = (Folder::new(), pair(|_| {}));
        folder.refuses("", &key, &["cert.pem: no certificate is in it", "the file is empty"]);
        folder.refuses("hello", &key, &["cert.pem: no certificate is in it"]);
        folder.refuses(
            &key,
            &certificate,
            &["cert.pem: no certificate", "holds a private key: the two files may be swapped"],
        );
        folder.refuses("0\u{1}", &key, &["openssl x509 -inform der"]);
        folder.refuses(&certificate, &certificate, &["key.pem: no key is in it", "holds a certificate"]);
        folder.refuses(&certificate, "", &["key.pem: no key is in it", "the file is empty"]);
        folder.refuses(&certificate[..certificate.len() - 40], &key, &["cert.pem: this is no whole PEM file"]);
        folder.refuses(&certificate, &key[..key.len() - 30], &["key.pem: this is no whole PEM file"]);
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        folder.refuses(garbage, &key, &["cert.pem: the first certificate in it cannot be used"]);
        let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        folder.refuses(&certificate, garbage, &["key.pem: the key cannot be used", "P-256"]);
        let missing = load(&folder.0.path().join("none.pem"), &folder.0.path().join("key.pem")).unwrap_err();
        assert!(missing.contains("none.pem: the certificate cannot be read"), "{missing}");
    }

    #[test]
    fn a_key_that_is_encrypted_or_of_another_certificate_is_refused() {
        let (folder, (certificate, key), (_, other)) = (Folder::new(), pair(|_| {}), pair(|_| {}));
        folder.refuses(
            &certificate,
            &other,
            &["key.pem: the key does not belong to the first certificate in", "cert.pem"],
        );
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        folder.refuses(&certificate, &encrypted, &["key.pem: the key is encrypted", "openssl pkey -in"]);
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        folder.refuses(&certificate, old, &["key.pem: the key is encrypted"]);
    }

    #[test]
    fn a_certificate_out_of_its_time_is_refused() {
        let folder = Folder::new();
        let (certificate, key) = pair(|params| params.not_after = rcgen::date_time_ymd(2024, 5, 6));
        folder.refuses(&certificate, &key, &["the certificate has expired at 2024-05-06T00:00:00Z"]);
        let (certificate, key) = pair(|params| params.not_before = rcgen::date_time_ymd(2090, 1, 2));
        folder.refuses(&certificate, &key, &["is valid from 2090-01-02T00:00:00Z on", "check the clock"]);
    }

    #[test]
    fn the_time_of_a_certificate_is_read_whatever_its_bytes_are() {
        let (certificate, _) = pair(|params| {
            params.not_before = rcgen::date_time_ymd(1950, 1, 1);
            params.not_after = rcgen::date_time_ymd(2049, 12, 31);
        });
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let (from, until) = validity(&der).unwrap();
        assert_eq!(
            (from.to_string(), until.to_string()),
            ("1950-01-01T00:00:00Z".into(), "2049-12-31T00:00:00Z".into())
        );
        for end in 0..der.len() {
            let _ = validity(&der[..end]);
        }
        for at in 0..der.len() {
            for bit in 0..8 {
                let mut other = der.to_vec();
                other[at] ^= 1 << bit;
                let _ = validity(&other);
            }
        }
    }
}
