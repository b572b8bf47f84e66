//! What the command line says, and the request that is made of it.

use std::time::Duration;

const USAGE: &str = "usage: load --url http://HOST:PORT/PATH [--body FILE] [--content-type TYPE] [--accept TYPE] [--header NAME:VALUE]… \
     [--method METHOD] [--connections 32] [--seconds 5] [--warm-up 1] [--rate REQUESTS_PER_SECOND] [--reconnect]";

/// What to send, where to, and how.
pub(crate) struct Options {
    /// Host and port.
    pub(crate) address: String,
    /// The bytes of a request.
    pub(crate) request: Vec<u8>,
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) seconds: Duration,
    /// Requests a second that are due; without it, as many as there are answers.
    pub(crate) rate: Option<f64>,
    /// Whether a request on a kept connection that the server had closed is sent once more.
    pub(crate) reconnect: bool,
}

impl Options {
    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn from(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut url, mut body, mut method, mut headers) = (None, None, None, String::new());
        let mut options = Options {
            address: String::new(),
            request: Vec::new(),
            connections: 32,
            warm_up: Duration::from_secs(1),
            seconds: Duration::from_secs(5),
            rate: None,
            reconnect: false,
        };
        while let Some(flag) = words.next() {
            if flag == "--reconnect" {
                options.reconnect = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{flag}` needs a value\n{USAGE}"))?;
            let number = || value.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
            let number = || number().ok_or_else(|| format!("{flag}: `{value}` is no number from 0 on"));
            match flag.as_str() {
                "--url" => url = Some(value),
                "--body" => body = Some(std::fs::read(&value).map_err(|e| format!("{value}: {e}"))?),
                "--method" => method = Some(value),
                "--content-type" => headers += &format!("content-type: {value}\r\n"),
                "--accept" => headers += &format!("accept: {value}\r\n"),
                "--header" => {
                    let (name, text) = value.split_once(':').ok_or("--header needs NAME:VALUE")?;
                    headers += &format!("{}: {}\r\n", name.trim(), text.trim());
                }
                "--connections" => options.connections = number()?.max(1.0) as usize,
                "--seconds" => options.seconds = Duration::from_secs_f64(number()?.max(0.1)),
                "--warm-up" => options.warm_up = Duration::from_secs_f64(number()?),
                "--rate" => options.rate = Some(number()?.max(0.1)),
                _ => return Err(format!("there is no `{flag}`\n{USAGE}")),
            }
        }
        let url = url.ok_or(USAGE)?;
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url} does not begin with http://"))?;
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        options.address = if address.contains(':') { address.to_owned() } else { format!("{address}:80") };
        let method = method.unwrap_or_else(|| if body.is_some() { "POST" } else { "GET" }.to_owned());
        let path = if path.is_empty() { "/" } else { path };
        if let Some(body) = &body {
            headers += &format!("content-length: {}\r\n", body.len());
        }
        options.request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n").into_bytes();
        options.request.extend(body.unwrap_or_default());
        Ok(options)
    }
}
