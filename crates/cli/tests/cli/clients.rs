//! The server, asked by the clients that people have: each is a script in `tests/clients`, which compares the answers with what
//! `predict` wrote for the same rows, to the last bit, in every form that the client has.
//!
//! `TABWRIGHT_TEST_CLIENTS` names a Python that has them; `cargo xtask test` makes one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Place;

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(place: &Place, model: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
            .args(["serve", model, "--port", "0", "--json"])
            .current_dir(place.folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Server { child, address: said["address"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already needs no more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Blanks a cell of some rows in each of these columns of a CSV without quotes before them.
fn with_gaps(table: &str, columns: &[&str]) -> String {
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    let names: Vec<String> = lines[0].split(',').map(str::to_owned).collect();
    for (number, column) in columns.iter().enumerate() {
        let at = names.iter().position(|name| name == column).unwrap();
        for row in (3 + number..lines.len()).step_by(40) {
            let mut cells: Vec<&str> = lines[row].split(',').collect();
            cells[at] = "";
            lines[row] = cells.join(",");
        }
    }
    lines.join("\n") + "\n"
}

/// Trains and serves a model, predicts the rows, and lets a script ask for them.
#[track_caller]
fn ask(script: &str) {
    let python =
        std::env::var("TABWRIGHT_TEST_CLIENTS").expect("TABWRIGHT_TEST_CLIENTS names a Python that has the clients");
    let place = Place::new();
    place.churn(300);
    let gaps = ["signup_date", "plan", "tenure_months", "monthly_charge", "satisfaction", "senior"];
    place.write("churn.csv", with_gaps(&place.read("churn.csv"), &gaps));
    place.run("train churn.csv --target churned --folds 0 --candidates gbdt_leafwise --select-on validation --no-record -o churn.tw").ok();
    place.run("predict churn.tw churn.csv -o predictions.csv").ok();
    let server = Server::start(&place, "churn.tw");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let answer = Command::new(python)
        .arg(scripts.join(script))
        .args([&server.address, "churn.csv", "predictions.csv"])
        .current_dir(place.folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(answer.status.success(), "{script}\n{}\n{}", said(&answer.stdout), said(&answer.stderr));
}

/// A test for each client.
macro_rules! on_clients {
    ($($name:ident: $script:literal),* $(,)?) => {
        $(
            #[test]
            #[ignore = "needs clients from PyPI; `cargo xtask test` installs them"]
            fn $name() {
                ask($script);
            }
        )*
    };
}

on_clients! {
    the_client_of_triton_gets_what_predict_writes: "triton_client.py",
    the_client_of_kserve_gets_what_predict_writes: "kserve_client.py",
    the_client_of_mlflow_gets_what_predict_writes: "mlflow_client.py",
    arrow_goes_in_and_out: "arrow_client.py",
    prometheus_can_read_the_metrics: "prometheus.py",
    the_description_of_the_routes_is_valid_and_true: "openapi.py",
    no_request_is_answered_with_a_failure_of_the_server: "fuzz.py",
}
