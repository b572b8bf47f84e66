//! An S3 endpoint for tests: buckets of their own, and objects looked at, altered and taken away behind the back of the store.
//!
//! The server is named by `TABWRIGHT_TEST_S3`; `cargo xtask test` starts one. It checks no signatures, and shows an object as
//! older by as many seconds as its metadata `age` says.
#![cfg_attr(not(feature = "s3"), allow(dead_code, reason = "without S3, no test needs most of it"))]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) fn host() -> String {
    let server = std::env::var("TABWRIGHT_TEST_S3").expect("TABWRIGHT_TEST_S3 names a server");
    server.strip_prefix("http://").unwrap().to_owned()
}

/// The variables for an endpoint.
pub(crate) fn variables(endpoint: &str) -> [(String, String); 3] {
    [("ACCESS_KEY_ID", "AKIATEST"), ("SECRET_ACCESS_KEY", "geheim"), ("ENDPOINT_URL", endpoint)]
        .map(|(name, value)| (format!("AWS_{name}"), value.to_owned()))
}

/// An endpoint that answers every request in this way, or never where there is no answer; for as long as the test runs.
pub(crate) fn endpoint(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            if let Some(answer) = answer {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(answer.as_bytes());
            } else {
                open.push(stream);
            }
        }
    });
    url
}

/// An endpoint that nobody listens at.
pub(crate) fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// What an endpoint answers to a key that it does not know.
pub(crate) const DENIED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 171\r\nConnection: close\r\n\r\n\
    <Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not exist in our records.\
    </Message><AWSAccessKeyId>AKIATEST</AWSAccessKeyId></Error>";

/// A bucket of its own.
pub(crate) struct Bucket {
    pub(crate) host: String,
    pub(crate) name: String,
}

impl Bucket {
    pub(crate) fn make() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let bucket = Bucket { host: host(), name: format!("tabwright-{}-{number}", std::process::id()) };
        assert_eq!(bucket.ask("PUT", "", &[], b"").0, 200);
        bucket
    }

    /// What `store.files` says.
    pub(crate) fn address(&self) -> String {
        format!("s3://{}/team/files", self.name)
    }

    /// What the environment says.
    pub(crate) fn variables(&self) -> [(String, String); 3] {
        variables(&format!("http://{}", self.host))
    }

    /// The bytes of a file, if it is there.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let (status, body) = self.ask("GET", name, &[], b"");
        (status == 200).then_some(body)
    }

    /// Puts other bytes in the place of a file.
    pub(crate) fn alter(&self, name: &str, bytes: &[u8]) {
        assert_eq!(self.ask("PUT", name, &[], bytes).0, 200);
    }

    /// Makes a file that is there look as if it had been written long ago.
    pub(crate) fn age(&self, name: &str) {
        let Some(bytes) = self.read(name) else { return };
        assert_eq!(self.ask("PUT", name, &["x-amz-meta-age: 100000"], &bytes).0, 200);
    }

    pub(crate) fn delete(&self, name: &str) {
        assert_eq!(self.ask("DELETE", name, &[], b"").0, 204);
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let text = String::from_utf8(self.ask("GET", "", &[], b"").1).unwrap();
        let keys = text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned());
        keys.collect()
    }

    fn ask(&self, method: &str, name: &str, headers: &[&str], body: &[u8]) -> (u16, Vec<u8>) {
        let key = if name.is_empty() { String::new() } else { format!("/team/files/{name}") };
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let more: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
        let head = format!(
            "{method} /{}{key} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n{more}\r\n",
            self.name,
            self.host,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, answer[end + 4..].to_vec())
    }
}
