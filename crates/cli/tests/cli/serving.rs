//! A server as its callers meet it: started, asked, told to reload and to end, with tokens and over TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::Place;

/// How long a server may take until it listens, or ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. It does not outlive its test.
pub(super) struct Served {
    child: Option<Child>,
    pub(super) address: SocketAddr,
    /// What it said when it began.
    pub(super) said: Value,
}

impl Place {
    /// Starts a server on a free port.
    pub(super) fn serve(&self, arguments: &str) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
            .arg("serve")
            .args(arguments.split_whitespace())
            .args(["--port", "0", "--json"])
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(std::fs::File::create(self.path("log")).unwrap()))
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}\n{}", self.read("log")));
        let address = said["address"].as_str().unwrap().split_once("://").unwrap().1.replace("0.0.0.0", "127.0.0.1");
        Served { child: Some(child), address: address.parse().unwrap(), said }
    }
}

impl Served {
    pub(super) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        rustix::process::kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for its end, and gives its exit code.
    pub(super) fn wait(&mut self) -> i32 {
        let begun = Instant::now();
        let child = self.child.as_mut().unwrap();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kilobytes of memory that it holds.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.as_ref().unwrap().id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(super) fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    /// Asks once, on a connection of its own.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.connect().ask(method, path, headers, body).unwrap()
    }

    pub(super) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    pub(super) fn predict(&self, name: &str, row: &Value) -> Reply {
        let path = format!("/v1/models/{name}/predict");
        self.ask("POST", &path, &[("content-type", "application/json")], row.to_string().as_bytes())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A connection that is kept.
pub(super) struct Connection(BufReader<TcpStream>);

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Sends a request and reads the whole answer.
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Reply> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        request.push_str("\r\n");
        self.send(&[request.as_bytes(), body].concat())?;
        self.read()
    }

    pub(super) fn read(&mut self) -> std::io::Result<Reply> {
        let cut = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let mut line = || {
            let mut line = String::new();
            match self.0.read_line(&mut line)? {
                0 => Err(cut()),
                _ => Ok(line.trim_end().to_owned()),
            }
        };
        let status = line()?.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(cut)?;
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let find = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let mut body = Vec::new();
        if let Some(length) = find("content-length") {
            body.resize(length.parse().unwrap(), 0);
            self.0.read_exact(&mut body)?;
        }
        Ok(Reply { status, headers, body })
    }
}

impl Reply {
    pub(super) fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(super) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// The first row of the table, as JSON.
pub(super) fn row(place: &Place) -> Value {
    let table = place.read("churn.csv");
    let mut lines = table.lines();
    let (names, cells) = (lines.next().unwrap(), lines.next().unwrap());
    let value = |cell: &str| if cell.is_empty() { Value::Null } else { cell.into() };
    Value::Object(names.split(',').map(str::to_owned).zip(cells.split(',').map(value)).collect())
}

#[test]
fn a_file_is_served_until_it_is_asked_to_end() {
    let place = Place::new();
    place.model();
    place.run("predict churn.tw churn.csv -o expected.csv").ok();
    let mut served = place.serve("churn.tw");
    assert_eq!(
        (&served.said["models"][0]["name"], &served.said["models"][0]["version"]),
        (&json!("churn"), &json!("1"))
    );
    let back = served.predict("churn", &row(&place)).is(200);
    assert_eq!(back.json()["model_version"], "1");
    let csv = served.ask(
        "POST",
        "/v1/models/churn/predict",
        &[("content-type", "text/csv")],
        place.read("churn.csv").as_bytes(),
    );
    assert_eq!(csv.is(200).text(), place.read("expected.csv"));
    served.get("/health/ready").is(200);
    assert!(served.memory() < 60_000, "{} kB", served.memory());
    served.signal(Signal::TERM);
    assert_eq!(served.wait(), 0);
    assert!(place.read("log").contains("draining"), "{}", place.read("log"));
}

#[test]
fn a_file_of_rows_is_sent_to_a_server() {
    let place = Place::new();
    place.model();
    place.run("predict churn.tw churn.csv --keep customer_id -o expected.csv").ok();
    place.run("predict churn.tw churn.csv -o expected.jsonl").ok();
    let served = place.serve("churn.tw");
    let url = format!("--server http://{}", served.address);
    place
        .run(&format!("predict churn churn.csv {url} --keep customer_id -o out.csv"))
        .ok()
        .says("400 rows predicted by churn:1");
    assert_eq!(place.read("out.csv"), place.read("expected.csv"));
    place.run(&format!("predict churn churn.csv {url} -o out.jsonl")).ok();
    assert_eq!(place.read("out.jsonl"), place.read("expected.jsonl"));
    let piped = place.run_with(
        &["predict", "churn", "-", "--server", &format!("http://{}", served.address)],
        place.read("churn.csv").as_bytes(),
    );
    assert_eq!(piped.ok().stdout.lines().count(), 401);
    for file in ["rows.parquet", "rows.arrow", "rows.csv.gz", "rows.jsonl.zst"] {
        place.run(&format!("example churn --rows 50 -o {file}")).ok();
        let json = place.run(&format!("predict churn:1 {file} {url} --json -o out.parquet")).ok().json();
        assert_eq!((&json["rows"], &json["model_version"]), (&json!(50), &json!("1")), "{file}");
    }
    let broken = place.read("churn.csv").replacen("two years,", "two years,credit card,x,", 1);
    place.write("broken.csv", broken);
    place.run(&format!("predict churn broken.csv {url} -o b.csv")).exit(3);
    assert!(!place.path("b.csv").exists());
    let mut lines: Vec<String> = place.read("churn.csv").lines().map(str::to_owned).collect();
    let column = lines[0].split(',').position(|name| name == "tenure_months").unwrap();
    let mut cells: Vec<&str> = lines[2].split(',').collect();
    cells[column] = "abc";
    lines[2] = cells.join(",");
    place.write("bad.csv", lines.join("\n"));
    let local = place.run("predict churn.tw bad.csv -o b.csv").exit(3).stderr;
    let remote = place.run(&format!("predict churn bad.csv {url} -o b.csv")).exit(3).says("1 of 400 rows");
    let (place_and_reason, _) = local.trim_start_matches("error: ").split_once("; mend").unwrap();
    remote.says(place_and_reason);
    assert!(!place.path("b.csv").exists());
    place.run(&format!("predict churn bad.csv {url} -o b.csv --on-error null")).ok().says("the column `error`");
    assert!(place.read("b.csv").contains("`abc` is not a number"));
    place.run(&format!("predict chrun churn.csv {url}")).exit(2).says("did you mean `churn`");
}

#[test]
fn what_a_server_cannot_be_asked_is_refused_with_what_to_write() {
    let place = Place::new();
    place.model();
    let served = place.serve("churn.tw");
    let address = served.address.to_string();
    let url = format!("--server http://{address}");
    let ask = |more: &str| place.run(&format!("predict churn churn.csv {more}"));
    ask("--server http://127.0.0.1:1").exit(1).says("is the server running there?");
    ask(&format!("--server {address}")).exit(2).says(&format!("write http://{address}"));
    ask("--server ftp://x").exit(2).says("not ftp://");
    ask(&format!("{url}/v1/models/churn/predict")).exit(2).says("scheme, host and port alone");
    ask(&format!("--server https://{address}")).exit(1).says("speaks no TLS");
    ask(&format!("{url} --token secret")).exit(2).says("env:NAME or file:PATH");
    for (option, flag) in [
        ("--na x", "--na"),
        ("--delimiter ;", "--delimiter"),
        ("--quote '", "--quote"),
        ("--header false", "--header"),
        ("--threads 2", "--threads"),
        ("--batch-size 7", "--batch-size"),
    ] {
        ask(&format!("{url} {option} -o out.csv")).exit(2).says(&format!("{flag} is not sent to a server"));
    }
    ask(&format!("{url} -o out.tsv")).exit(2).says(".csv");
    ask(&format!("{url} --json")).exit(2).says("add -o FILE");
    ask(&format!("{url} -o churn.csv")).exit(2).says("which is read");
    assert!(!place.path("out.csv").exists());
    let mut place = place;
    place.variables.push(("TABWRIGHT_DATA_NA".into(), "x".into()));
    place.run(&format!("predict churn churn.csv {url}")).exit(2).says("TABWRIGHT_DATA_NA is not sent");
}

#[test]
fn text_in_another_encoding_is_sent_as_utf8_and_a_format_as_it_is_named() {
    let place = Place::new();
    place.model();
    let served = place.serve("churn.tw");
    let table = place.read("churn.csv").replace("month-to-month", "Müller");
    place.write("utf8.csv", &table);
    let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(table.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    place.write("utf16.csv", utf16);
    let latin: Vec<u8> = table.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    place.write("latin1.csv", &latin);
    place.write("latin1.txt", latin);
    let ask = |file: &str| {
        let url = format!("--server http://{}", served.address);
        place.run(&format!("predict churn {file} {url} --keep contract -o out.csv")).ok();
        place.read("out.csv")
    };
    let expected = ask("utf8.csv");
    assert!(expected.contains("Müller"));
    for file in ["utf16.csv", "latin1.csv", "latin1.csv --encoding latin1", "latin1.txt --format csv"] {
        assert_eq!(ask(file), expected, "{file}");
    }
}

#[test]
fn a_reader_that_goes_ends_the_command_without_a_word() {
    let place = Place::new();
    place.model();
    place.run("example churn --rows 20000 -o many.csv").ok();
    let served = place.serve("churn.tw");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
        .args(["predict", "churn", "many.csv", "--server", &format!("http://{}", served.address)])
        .current_dir(place.folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert!(line.starts_with("prediction,"), "{line}");
}

#[test]
fn rows_that_cannot_be_used_are_seen_where_a_proxy_took_the_counts_away() {
    let place = Place::new();
    place.churn(3);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--server http://{}", listener.local_addr().unwrap());
    let answers = [
        "prediction,error\nyes,\n,\"row 1, column `plan`: there twice in one row\"\nno,\n",
        "prediction\nyes\nno\nyes\n",
    ];
    std::thread::spawn(move || {
        for body in answers {
            let mut stream = listener.accept().unwrap().0;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                length =
                    line.to_lowercase().strip_prefix("content-length: ").map_or(length, |n| n.trim().parse().unwrap());
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).unwrap();
        }
    });
    let bad = place.run(&format!("predict churn churn.csv {url} -o out.csv")).exit(3);
    bad.says("churn.csv, line 3, column `plan`: there twice in one row; 1 of 3 rows");
    assert!(!place.path("out.csv").exists());
    place.run(&format!("predict churn churn.csv {url} -o out.csv")).ok().says("3 rows predicted");
    assert_eq!(place.read("out.csv"), answers[1]);
}

#[test]
fn what_a_server_says_first_is_json_where_the_log_is() {
    let place = Place::new();
    place.model();
    place
        .run("train churn.csv --target churned --candidates logistic_regression --folds 0 -o it's.tw --no-record")
        .ok();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
        .args(["serve", "churn.tw", "it's.tw", "--port", "0", "--log-format", "json"])
        .current_dir(place.folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().take(3);
    let said: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((&said[0]["message"], &said[0]["model"]), (&json!("serving"), &json!("churn")));
    assert!(said[1]["url"].as_str().unwrap().ends_with("/v1/models/it's/predict"), "{said:?}");
    let address = said[2]["address"].as_str().unwrap();
    assert_eq!(said[2]["message"], format!("listening on {address}"));
}

#[test]
fn an_alias_that_moves_is_taken_up_within_a_second() {
    let place = Place::new();
    place.churn(400);
    for candidate in ["logistic_regression", "gbdt_leafwise"] {
        place.run(&format!("train churn.csv --target churned --folds 0 --name churn --candidates {candidate}")).ok();
    }
    place.run("models alias churn:1 live").ok();
    let served = place.serve("churn@live churn:2 --default churn");
    assert_eq!(served.predict("churn", &row(&place)).is(200).json()["model_version"], "1");
    place.run("models alias churn:2 live").ok();
    let begun = Instant::now();
    while served.predict("churn", &row(&place)).is(200).json()["model_version"] != "2" {
        assert!(begun.elapsed() < Duration::from_secs(1));
        std::thread::sleep(Duration::from_millis(10));
    }
    let about = served.get("/v1/models/churn").is(200).json();
    assert_eq!((&about["version"], &about["aliases"]["live"]), (&json!("2"), &json!("2")));
    // A version that is thrown away while it is served goes on answering.
    place.run("models alias churn:1 live").ok();
    place.run("models rm churn:2").ok();
    let begun = Instant::now();
    while served.predict("churn", &row(&place)).is(200).json()["model_version"] != "1" {
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
    let of_number = "/v1/models/churn/versions/2/predict";
    let headers = [("content-type", "application/json")];
    served.ask("POST", of_number, &headers, row(&place).to_string().as_bytes()).is(200);
}

#[test]
fn files_and_settings_are_taken_up_on_sighup_and_what_is_broken_is_not() {
    let place = Place::new();
    place.model();
    place.write("tabwright.toml", "[serve]\nmax_rows = 2\n");
    let served = place.serve("churn.tw");
    let rows = json!([row(&place), row(&place), row(&place)]);
    served.predict("churn", &rows).is(413);
    let content_id = |served: &Served| served.get("/v1/models/churn").json()["versions"][0]["content_id"].clone();
    let before = content_id(&served);
    place.write("tabwright.toml", "[serve]\nmax_rows = 3\n");
    place.run("train churn.csv --target churned --candidates gbdt_leafwise --folds 0 -o churn.tw").ok();
    served.signal(Signal::HUP);
    let begun = Instant::now();
    while content_id(&served) == before {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    served.predict("churn", &rows).is(200);
    let now = content_id(&served);
    for broken in [("churn.tw", "no model"), ("tabwright.toml", "[serve]\nmax_row = 3\n")] {
        let kept = place.read_bytes(broken.0);
        place.write(broken.0, broken.1);
        let back = served.ask("POST", "/v1/reload", &[], b"").is(409);
        assert!(!back.text().contains("max_row") && !back.text().contains("churn.tw"), "{}", back.text());
        assert_eq!(content_id(&served), now);
        place.write(broken.0, kept);
    }
    served.ask("POST", "/v1/reload", &[], b"").is(200);
    assert!(place.read("log").contains("did you mean `serve.max_rows`"), "{}", place.read("log"));
}

impl Place {
    fn read_bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }
}

#[test]
fn others_need_a_token_and_a_revoked_one_is_of_no_use() {
    let mut place = Place::new();
    place.model();
    place.run("serve churn.tw --host 0.0.0.0 --port 0").exit(2).says("tabwright token create").says("--insecure");
    place.run("serve churn.tw --require-token --port 0").exit(2).says("a token is asked for");
    place.run("serve churn.tw --host example.com --port 0").exit(2).says("no address");
    place.run("serve churn.tw --token secret-in-the-clear --port 0").exit(2);
    let token = place.run("token create --name app --scope predict").ok().stdout.trim().to_owned();
    place.variables.push(("OTHER_TOKEN".into(), "a token of the environment".into()));
    let served = place.serve("churn.tw --host 0.0.0.0 --set serve.token=env:OTHER_TOKEN");
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        served.ask("POST", "/v1/models/churn/predict", &headers, row(&place).to_string().as_bytes()).status
    };
    assert_eq!((ask(&token), ask("a token of the environment"), ask("tw_x_y")), (200, 200, 401));
    served.predict("churn", &row(&place)).is(401);
    served.get("/health/ready").is(200);
    let bearer = format!("Bearer {token}");
    served.ask("GET", "/metrics", &[("authorization", &bearer)], b"").is(403);
    place.write("token", &token);
    let url = format!("http://127.0.0.1:{}", served.address.port());
    place.run(&format!("predict churn churn.csv --server {url} --token file:token -o out.csv")).ok();
    place.run(&format!("predict churn churn.csv --server {url} -o out.csv")).exit(2).says("a token is needed");
    place.run("token revoke app").ok();
    let begun = Instant::now();
    while ask(&token) != 401 {
        assert!(begun.elapsed() < Duration::from_secs(1), "a revoked token is of use");
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = place.read("log");
    assert!(!log.contains(&token) && !log.contains("a token of the environment"), "{log}");
}

#[test]
fn tls_is_spoken_and_its_certificate_taken_up_again() {
    let place = Place::new();
    place.model();
    let certificate = |place: &Place| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        place.write("cert.pem", made.cert.pem());
        place.write("key.pem", made.signing_key.serialize_pem());
    };
    certificate(&place);
    let tls = "--tls-certificate cert.pem --tls-key key.pem";
    let served = place.serve(&format!("churn.tw {tls}"));
    let url = format!("https://localhost:{}", served.address.port());
    assert!(served.said["address"].as_str().unwrap().starts_with("https://"));
    let ask = |file: &str| place.run(&format!("predict churn churn.csv --server {url} --ca {file} -o out.csv"));
    ask("cert.pem").ok();
    place
        .run(&format!("predict churn churn.csv --server {url} -o out.csv"))
        .exit(1)
        .says("name that of the signer with --ca");
    let plain = url.replace("https:", "http:");
    place.run(&format!("predict churn churn.csv --server {plain} -o out.csv")).exit(1).says(&format!("write {url}"));
    place.write("old.pem", place.read("cert.pem"));
    certificate(&place);
    served.signal(Signal::HUP);
    let begun = Instant::now();
    while ask("cert.pem").code != 0 {
        assert!(begun.elapsed() < PATIENCE);
    }
    ask("old.pem").exit(1);
    // Whoever speaks no TLS gets nothing, and stops nobody.
    let mut plain = served.connect();
    plain.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert!(plain.read().is_err());
    ask("cert.pem").ok();
    place.run("serve churn.tw --tls-certificate cert.pem --port 0").exit(2).says("belong together");
    place.run("serve churn.tw --tls-certificate nothing.pem --tls-key key.pem --port 0").exit(2).says("nothing.pem");
}

#[test]
fn what_cannot_be_served_is_told_before_anybody_asks() {
    let place = Place::new();
    place.model();
    place.write("broken.tw", "no model");
    place.run("serve").exit(2);
    place.run("serve nothing.tw --port 0").exit(3).says("nothing.tw");
    place.run("serve broken.tw --port 0").exit(3).says("broken.tw");
    place.run("serve churn --port 0").exit(2).says("there is no model `churn`");
    place.run("serve churn.tw ./churn.tw --port 0").exit(2).says("two models would be served as `churn`");
    place.run("serve churn.tw --default nobody --port 0").exit(2).says("nobody");
    place.run("serve churn.tw --canary churn@next=2 --port 0").exit(2).says("between 0 and 1");
    place.run("serve churn.tw --shadow a/b --port 0").exit(2).says("serve.shadow");
    place.run("serve churn.tw --shadow chrun@next --port 0").exit(2).says("did you mean `churn`");
    place.run("serve churn.tw --hosts * --port 0").exit(2).says("serve.hosts");
    place.run("serve churn.tw --origins app.example --port 0").exit(2).says("write https://app.example");
    place.run("serve churn.tw --host 127.0.0.1:9000").exit(2).says("--host 127.0.0.1 --port 9000");
    place.run("serve models:/churn/1").exit(2).says("write churn:1");
    place.run("serve churn.tw --set serve.max_body=much --port 0").exit(2).says("serve.max_body");
    place.run("serve churn.tw --set serve.request_time=-1 --port 0").exit(2).says("serve.request_time");
    place.run("serve churn.tw --log-level loud --port 0").exit(2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    place.run(&format!("serve churn.tw --port {port}")).exit(1).says("another program listens there");
    place.run("serve churn.tw --port 99999").exit(2).says("a port is a number from 0 to 65535, not 99999");
    place.run("token create --name old --scope predict --expires 1s").ok();
    std::thread::sleep(Duration::from_millis(1100));
    place.run("serve churn.tw --require-token --port 0").exit(2).says("1 token, expired on 20");
}

#[test]
fn slow_and_many_connections_stop_nobody() {
    super::many_files();
    let place = Place::new();
    place.model();
    let served = place.serve("churn.tw --set serve.header_time=2 --set serve.max_connections=1010");
    let begun = Instant::now();
    let mut slow: Vec<Connection> = (0..1000).map(|_| served.connect()).collect();
    slow.iter_mut().for_each(|connection| connection.send(b"GET /health/live HTTP/1.1\r\nhost: loc").unwrap());
    for _ in 0..50 {
        let asked = Instant::now();
        served.predict("churn", &row(&place)).is(200);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
    let last = slow[999].read().unwrap();
    assert_eq!(last.status, 408, "{}", last.text());
    assert!(slow[0].read().is_ok_and(|reply| reply.status == 408));
    drop(slow);
    // One too many is refused at once, and room is made again.
    let tight = place.serve("churn.tw --set serve.max_connections=2 --set serve.idle_time=0.5");
    let mut kept: Vec<Connection> = (0..2).map(|_| tight.connect()).collect();
    kept.iter_mut()
        .for_each(|connection| assert_eq!(connection.ask("GET", "/health/live", &[], b"").unwrap().status, 200));
    let refused = tight.connect().read().unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let begun = Instant::now();
    while Connection::open(tight.address)
        .and_then(|mut c| c.ask("GET", "/health/live", &[], b""))
        .map_or(0, |r| r.status)
        != 200
    {
        assert!(begun.elapsed() < PATIENCE, "connections without a request are closed");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(kept[0].ask("GET", "/health/live", &[], b"").is_err(), "closed without a word");
}

#[test]
fn a_request_that_stops_half_way_ends_with_408_and_a_large_one_with_413() {
    let place = Place::new();
    place.model();
    let served = place.serve("churn.tw --set serve.request_time=0.5 --set serve.max_body=2000000");
    let mut half = served.connect();
    half.send(b"POST /v1/models/churn/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").unwrap();
    assert_eq!(half.read().unwrap().status, 408);
    let mut large = served.connect();
    large.send(b"POST /v1/models/churn/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9000000000\r\n\r\n").unwrap();
    assert_eq!(large.read().unwrap().status, 413);
    let mut garbage = served.connect();
    garbage.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no HTTP at all\r\n\r\n").unwrap();
    assert!(garbage.read().map_or(400, |reply| reply.status) == 400);
    let mut long = served.connect();
    long.send(format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(100_000)).as_bytes()).ok();
    assert!(long.read().map_or(414, |reply| reply.status) >= 400);
    served.predict("churn", &row(&place)).is(200);
}
