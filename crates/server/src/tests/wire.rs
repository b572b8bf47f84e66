//! Connections as they are: over sockets, with callers who send and read as they please.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::http::{Listening, Phase};

const HEADER: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_millis(1500);

/// A server on a socket. It ends with this.
struct Wire {
    bench: Bench,
    address: std::net::SocketAddr,
    _phase: watch::Sender<Phase>,
}

impl Wire {
    async fn new() -> Self {
        let bench = Bench::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = Listening {
            app: Arc::clone(&bench.app),
            listener,
            tls: None,
            connections: 16,
            header_time: HEADER,
            idle_time: IDLE,
            drain_time: Duration::from_secs(1),
        };
        let (phase, watched) = watch::channel(Phase::Serving);
        tokio::spawn(crate::http::serve(listening, watched));
        Wire { bench, address, _phase: phase }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads an answer with a length: its head and its body.
async fn answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_while_sending_gets_the_answer_and_may_ask_again() {
    let wire = Wire::new().await;
    let mut stream = wire.connect().await;
    for path in ["/nothing", "/v1/models/nobody/predict"] {
        let size = 700_000;
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; size]).await.unwrap();
        let (head, _) = answer(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    }
    stream.write_all(b"HEAD /health/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut head = vec![0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, b"HTTP/1.1 200 OK");
    // It is left alone, and ends without a word that could be taken for an answer.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with("\r\n\r\n") && !rest.contains("HTTP/1.1"), "{rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_does_not_end_is_answered_with_408() {
    let wire = Wire::new().await;
    let mut stream = wire.connect().await;
    stream.write_all(b"GET /health/live HTTP/1.1\r\nhost:").await.unwrap();
    let (head, body) = answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 408") && String::from_utf8(body).unwrap().contains("too_slow"), "{head}");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_an_answer_is_let_go() {
    let wire = Wire::new().await;
    let (table, copies) = (table(), 100);
    let (header, body) = table.split_once('\n').unwrap();
    let body = format!("{header}\n{}", body.repeat(copies));
    let path = "/v1/models/churn/predict?keep=last_note,customer_id,signup_date,plan,contract,country";
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut deaf: Vec<TcpStream> = Vec::new();
    for _ in 0..2 {
        let mut stream = wire.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        // What comes after a request and before its answer is read is no late head.
        stream.write_all(b"GET /he").await.unwrap();
        deaf.push(stream);
    }
    let open = async || wire.bench.get("/metrics").await.text().contains("tabwright_connections 2");
    assert!(open().await);
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while open().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
}
