//! A webhook that works, fails, hangs, redirects, and changes its address.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What a server does with the n-th request.
type Script = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// The head of a request, in small letters, and its body.
type Request = (String, Vec<u8>);

/// A server on loopback, and the requests that it got.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by the script; an empty answer is none at all.
    async fn start(script: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script): (_, Script) = (Arc::clone(&requests), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                tokio::spawn(async move {
                    let mut bytes = Vec::new();
                    let head = loop {
                        let mut buffer = [0; 4_096];
                        let n = stream.read(&mut buffer).await.unwrap_or(0);
                        bytes.extend_from_slice(&buffer[..n]);
                        match bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                            Some(end) => break String::from_utf8_lossy(&bytes[..end]).to_lowercase(),
                            None if n == 0 => return,
                            None => {}
                        }
                    };
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    let length: usize = length.parse().unwrap();
                    let mut body = bytes.split_off(head.len() + 4);
                    while body.len() < length {
                        let mut buffer = [0; 4_096];
                        let n = stream.read(&mut buffer).await.unwrap();
                        body.extend_from_slice(&buffer[..n]);
                    }
                    let n = {
                        let mut seen = seen.lock().unwrap();
                        seen.push((head, body));
                        seen.len() - 1
                    };
                    let answer = script(n);
                    if answer.is_empty() {
                        // It hangs until the other side gives up.
                        let _ = stream.read(&mut [0; 1]).await;
                        return;
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Server { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/T0/geheim?key=geheim", self.address)
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn answer(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n")
}

/// A clock that moves only when it is waited for.
#[derive(Debug, Default)]
struct Virtual(Mutex<Duration>);

impl Pace for Virtual {
    fn unix_seconds(&self) -> u64 {
        1_800_000_000 + self.0.lock().unwrap().as_secs()
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn pause(&self, length: Duration) -> Pausing<'_> {
        *self.0.lock().unwrap() += length;
        Box::pin(std::future::ready(()))
    }
}

/// Answers for any name, one list after the other.
#[derive(Debug)]
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    fn of(answers: &[&[&str]]) -> Arc<Self> {
        let list = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Names { answers: answers.iter().map(list).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, _: &'a str, port: u16) -> Looking<'a> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let addresses = self.answers[n].iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

fn webhook(url: &str) -> (Webhook, Arc<Virtual>) {
    let mut webhook = Webhook::new(url, true).unwrap();
    let pace = Arc::new(Virtual::default());
    webhook.pace = Arc::<Virtual>::clone(&pace);
    (webhook, pace)
}

async fn fails(webhook: &Webhook, says: &str) -> u32 {
    let undelivered = webhook.send(&message()).await.unwrap_err();
    assert!(undelivered.why.contains(says), "{says}: {}", undelivered.why);
    assert!(!undelivered.why.contains("geheim"), "{}", undelivered.why);
    undelivered.attempts
}

#[tokio::test]
async fn any_2xx_is_an_arrival_and_the_signature_can_be_verified() {
    for status in [200, 201, 202, 204] {
        let server = Server::start(move |_| answer(status, "")).await;
        let (webhook, _) = webhook(&server.url());
        let webhook = webhook.signed("geheimgeheimgeheim").unwrap();
        let message = message();
        assert_eq!(webhook.send(&message).await, Ok(1), "{status}");
        let requests = server.requests.lock().unwrap();
        let (head, body) = &requests[0];
        assert!(head.starts_with("post /t0/geheim?key=geheim http/1.1"), "{head}");
        assert!(head.contains("content-type: application/json") && head.contains("user-agent: tabwright/"), "{head}");
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        assert_eq!(header("x-tabwright-id: "), message.id);
        let timestamp = header("x-tabwright-timestamp: ");
        assert_eq!(timestamp, "1800000000");
        let expected = signature(b"geheimgeheimgeheim", &timestamp, body);
        assert_eq!(header("x-tabwright-signature: "), format!("sha256={expected}"));
        assert_eq!(serde_json::from_slice::<Message>(body).unwrap(), message);
    }
}

#[test]
fn the_signature_is_that_of_the_standard() {
    // Python: hmac.new(b"key", b"1.body", "sha256").hexdigest()
    let expected = "91b5374b153842ad05b2c4eab9349b8321b14703165bd3fb8b034dfb8be98ae5";
    assert_eq!(signature(b"key", "1", b"body"), expected);
}

#[tokio::test]
async fn a_server_that_fails_for_an_hour_is_asked_a_bounded_number_of_times_and_gets_it_then() {
    let is_mended = Arc::new(AtomicUsize::new(0));
    let switch = Arc::clone(&is_mended);
    let server = Server::start(move |_| answer(if switch.load(Ordering::SeqCst) == 0 { 500 } else { 200 }, "")).await;
    let (webhook, pace) = webhook(&server.url());
    let folder = tempfile::tempdir().unwrap();
    let channels = Channels { webhook: Some(webhook), ..Channels::default() };
    let mut ids = std::collections::BTreeSet::new();
    // A run every five minutes.
    for run in 0..=12 {
        if run == 12 {
            is_mended.store(1, Ordering::SeqCst);
        }
        let begun = pace.elapsed();
        let (mut alerts, messages) = due(folder.path());
        ids.insert(messages[0].id.clone());
        let outcomes = channels.send_due(&mut alerts, &messages).await.unwrap();
        let expected = if run == 12 { (true, 1) } else { (false, 5) };
        assert_eq!((outcomes[0].sent, outcomes[0].attempts), expected, "{outcomes:?}");
        // 1, 2, 4 and 8 seconds.
        let waited = pace.elapsed() - begun;
        assert_eq!(waited, Duration::from_secs(if run == 12 { 0 } else { 15 }));
        pace.pause(Duration::from_secs(300) - waited).await;
    }
    assert_eq!((ids.len(), server.count()), (1, 61), "one id for all attempts");
    assert!(due(folder.path()).1.is_empty(), "told");
}

#[tokio::test]
async fn what_another_attempt_may_mend_is_tried_again_and_nothing_else() {
    let server = Server::start(|n| answer([503, 429, 204][n], "retry-after: 3\r\n")).await;
    let (hook, pace) = webhook(&server.url());
    assert_eq!(hook.send(&message()).await, Ok(3));
    assert_eq!(pace.elapsed(), Duration::from_secs(1 + 3), "a server that says how long is heard");
    for status in [400, 401, 403, 404, 410, 422] {
        let server = Server::start(move |_| answer(status, "")).await;
        let (hook, _) = webhook(&server.url());
        assert_eq!(fails(&hook, &format!("it answers {status}")).await, 1);
    }
    let server = Server::start(|_| answer(429, "retry-after: 86400\r\n")).await;
    let (hook, pace) = webhook(&server.url());
    assert_eq!(fails(&hook, "it answers 429").await, 1);
    assert_eq!(pace.elapsed(), Duration::ZERO, "nobody waits a day");
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (hook, _) = webhook(&format!("http://{closed}/geheim"));
    assert_eq!(fails(&hook, "refused").await, 5);
}

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    // It says nothing, or begins an answer and never ends its head.
    for text in ["", "HTTP/1.1 200 OK\r\nx: "] {
        let server = Server::start(move |_| text.to_owned()).await;
        let (mut hook, _) = webhook(&server.url());
        hook.limits = Limits { attempts: 2, attempt: Duration::from_millis(100), ..Limits::default() };
        let begun = std::time::Instant::now();
        let undelivered = hook.send(&message()).await.unwrap_err();
        assert_eq!(undelivered.attempts, 2, "{}", undelivered.why);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let server = Server::start(|_| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(20 << 20))).await;
    let (hook, _) = webhook(&server.url());
    assert_eq!(hook.send(&message()).await, Ok(1));
}

#[tokio::test]
async fn redirects_keep_the_message_and_are_checked_hop_by_hop() {
    let target = Server::start(|_| answer(200, "")).await;
    let to = format!("location: http://{}/elsewhere\r\n", target.address);
    let server = Server::start(move |_| answer(307, &to)).await;
    let (hook, _) = webhook(&server.url());
    assert_eq!(hook.send(&message()).await, Ok(1));
    let (head, body) = target.requests.lock().unwrap()[0].clone();
    assert!(head.starts_with("post /elsewhere") && !body.is_empty(), "{head}");

    let round = Server::start(|_| answer(308, "location: /again\r\n")).await;
    let (hook, _) = webhook(&round.url());
    assert_eq!(fails(&hook, "more than 3 redirects").await, 1);
    assert_eq!(round.count(), 4);

    for (status, location, says) in [
        (302, "http://127.0.0.1/", "a redirect that would lose the message"),
        (307, "file:///etc/passwd", "not by `file`"),
        (307, "http://me:geheim@127.0.0.1/", "a name or a password"),
        (307, "", "307 without a place to go to"),
    ] {
        let header = if location.is_empty() { String::new() } else { format!("location: {location}\r\n") };
        let server = Server::start(move |_| answer(status, &header)).await;
        let (hook, _) = webhook(&server.url());
        assert_eq!(fails(&hook, says).await, 1, "{location}");
    }
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_before_anything_is_sent() {
    let server = Server::start(|_| answer(200, "")).await;
    let port = server.address.port();
    // In every spelling that means this machine or a network of its own.
    for host in [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
    ] {
        let hook = Webhook::new(&format!("http://{host}:{port}/geheim"), false).unwrap();
        assert_eq!(fails(&hook, "such addresses are refused unless alerts.allow_private = true").await, 1, "{host}");
    }
    // A name that means both, and one that means something else a moment later.
    let both = Names::of(&[&["93.184.216.34", "127.0.0.1"]]);
    let mut hook = Webhook::new(&format!("http://hooks.example:{port}/geheim"), false).unwrap();
    hook.lookup = both;
    assert_eq!(fails(&hook, "it lies at 127.0.0.1, which is loopback").await, 1);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let server = Server::start(|_| answer(200, "")).await;
    let url = format!("http://hooks.example:{}/", server.address.port());
    let (mut hook, _) = webhook(&url);
    let names = Names::of(&[&["127.0.0.1"], &["127.0.0.2"]]);
    hook.lookup = Arc::<Names>::clone(&names);
    assert_eq!(hook.send(&message()).await, Ok(1));
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "the name is asked for once");
    assert!(server.requests.lock().unwrap()[0].0.contains("host: hooks.example:"));
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    // The first hop is let through as if it were public; what the second name means is looked up, and checked, anew.
    let inner = Server::start(|_| answer(200, "")).await;
    for to in [format!("http://{}/", inner.address), format!("http://metadata.example:{}/", inner.address.port())] {
        let server = Server::start(move |_| answer(307, &format!("location: {to}\r\n"))).await;
        let (mut hook, _) = webhook(&format!("http://hooks.example:{}/geheim", server.address.port()));
        hook.lookup = Names::of(&[&["127.0.0.1"]]);
        hook.allow_private = false;
        hook.trusted = Some("hooks.example");
        assert_eq!(fails(&hook, "which is loopback").await, 1);
        assert_eq!((server.count(), inner.count()), (1, 0));
    }
}

#[tokio::test]
async fn a_server_without_tls_is_no_server_of_https() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/geheim", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(answer(200, "").as_bytes()).await;
        }
    });
    let (mut hook, _) = webhook(&url);
    hook.limits.attempts = 1;
    assert_eq!(fails(&hook, "corrupt message").await, 1);
}
