//! A mail server of a few lines: what it gets, and what becomes of mail that it does not take.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

/// A server that takes mail, or answers `RCPT` otherwise; `offers` are the lines of its greeting. What it heard comes back.
async fn server(offers: &'static str, recipient: &'static str) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let all = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            let mut is_data = false;
            writer.write_all(b"220 mail\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                all.lock().unwrap().push_str(&format!("{line}\n"));
                let answer = match line.as_str() {
                    "." if is_data => {
                        is_data = false;
                        "250 taken"
                    }
                    _ if is_data => continue,
                    "DATA" => {
                        is_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    line if line.starts_with("EHLO") => offers,
                    line if line.starts_with("RCPT") => recipient,
                    line if line.starts_with("AUTH") => "535 no such password",
                    _ => "250 well",
                };
                if answer.is_empty() || writer.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (port, heard)
}

fn email(port: u16, change: impl Fn(&mut EmailConfig)) -> Email {
    let mut config = EmailConfig {
        to: vec!["Ops <ops@example.com>".into(), "b@example.com".into()],
        from: "Tabwright <tabwright@example.com>".into(),
        server: format!("127.0.0.1:{port}"),
        ..EmailConfig::default()
    };
    change(&mut config);
    let password = (!config.user.is_empty()).then(|| "geheim".to_owned());
    Email::new(&config, password).unwrap()
}

#[tokio::test]
async fn a_mail_arrives_with_the_text_and_no_header_of_others() {
    let (port, heard) = server("250 mail", "250 well").await;
    let mut message = message();
    message.subject = "[warning] größe\r\nBcc: evil@example.com\r\n\r\nbody".into();
    message.text = "first line\n.\nRSET\nlast line".into();
    assert_eq!(email(port, |_| {}).send(&message).await, Ok(1));
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("MAIL FROM:<tabwright@example.com>"), "{heard}");
    assert_eq!(heard.matches("RCPT TO:").count(), 2, "{heard}");
    assert!(!heard.lines().any(|line| line.starts_with("Bcc")), "{heard}");
    assert!(heard.contains(&format!("Message-ID: <{}@tabwright>", message.id)), "{heard}");
    assert!(heard.contains("first line\n..\nRSET\nlast line"), "a full stop alone does not end the mail: {heard}");
    assert!(heard.contains("To: Ops <ops@example.com>, b@example.com"), "{heard}");
}

#[tokio::test]
async fn a_mail_that_is_not_taken_says_why() {
    let (port, _) = server("250 mail", "550 5.1.1 no such user here").await;
    let why = email(port, |_| {}).send(&message()).await.unwrap_err().why;
    assert!(why.contains("no such user here") && why.contains(&format!("127.0.0.1:{port}")), "{why}");
    let (port, heard) = server("250-mail\r\n250 AUTH PLAIN", "250 well").await;
    let why = email(port, |c| c.user = "u".into()).send(&message()).await.unwrap_err().why;
    assert!(why.contains("no such password") && !why.contains("geheim"), "{why}");
    assert!(!heard.lock().unwrap().contains("DATA"));
}

#[tokio::test]
async fn without_tls_nothing_is_sent_unless_that_was_asked_for() {
    let (port, heard) = server("250 mail", "250 well").await;
    let starttls = email(port, |c| c.security = "starttls".into());
    let why = starttls.send(&message()).await.unwrap_err().why;
    assert!(why.to_lowercase().contains("tls"), "{why}");
    assert!(!heard.lock().unwrap().contains("MAIL FROM"));
    for (server, security, is) in [
        ("smtp.example.com", "", Security::StartTls),
        ("smtp.example.com:465", "", Security::Tls),
        ("smtp.example.com:2525", "", Security::StartTls),
        ("smtp.example.com", "plain", Security::Plain),
        ("localhost", "", Security::Plain),
        ("localhost.example.com", "", Security::StartTls),
        ("[::1]:2525", "", Security::Plain),
        ("127.0.0.1", "tls", Security::Tls),
    ] {
        let email = email(1, |c| (c.server, c.security) = (server.into(), security.into()));
        assert!(format!("{email:?}").contains(&format!("security: {is:?}")), "{server}: {email:?}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    // It never answers the greeting.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut email = email(listener.local_addr().unwrap().port(), |_| {});
    email.total = Duration::from_millis(200);
    let why = email.send(&message()).await.unwrap_err().why;
    assert!(why.contains("it took longer than 200ms"), "{why}");
}

#[test]
fn names_of_people_stay_in_their_header() {
    let email = email(25, |c| c.to = vec!["\"Größe, von\" <a@example.com>".into()]);
    let mail = email.mail(&message(), SystemTime::UNIX_EPOCH).unwrap();
    let text = String::from_utf8(mail.formatted()).unwrap();
    assert!(text.contains("To: \"=?utf-8?b?") || text.contains("To: =?utf-8?b?"), "{text}");
    assert!(text.contains("Date: Thu, 01 Jan 1970 00:00:00 +0000"), "{text}");
}
