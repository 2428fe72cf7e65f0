//! A headless Chromium, driven through `WebDriver`: as much of the protocol as the tests need.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longer than any step takes that works.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const BETWEEN: Duration = Duration::from_millis(50);
/// The key by which `WebDriver` marks a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const TAB: &str = "\u{e004}";

/// A browser with one window. It ends when dropped.
pub(crate) struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser is ended by its driver, and by nobody once that is gone.
        let _ = self.end();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Whether browser and driver are installed.
pub(crate) fn is_installed() -> bool {
    ["chromium", "chromedriver"].into_iter().all(|name| program(name).is_some())
}

/// Where a program lies, as `command -v` finds it.
fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(runs)
}

impl Browser {
    /// Deletes the session, blocking.
    fn end(&self) -> std::io::Result<()> {
        let (host, path) = self.session.trim_start_matches("http://").split_once('/').unwrap_or_default();
        let mut stream = std::net::TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "DELETE /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    }

    /// A fresh one, which runs no script of pages if `scripts` is off.
    pub(crate) async fn start(scripts: bool) -> Self {
        let mut driver = Command::new(program("chromedriver").expect("is_installed"))
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned())
        });
        // Nobody reads on: the driver is quiet from here, and a full pipe would stop it.
        tokio::task::spawn_blocking(move || said.for_each(drop));
        let http = kimai_sync::http_client::client_builder(PATIENCE * 2).build().unwrap();
        let mut options = json!({
            "binary": program("chromium").expect("is_installed"),
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                     "--hide-scrollbars", "--force-device-scale-factor=1", "--disable-background-networking"],
        });
        if !scripts {
            options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
        }
        let wish = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let base = format!("http://127.0.0.1:{}", port.expect("the driver tells its port"));
        let mut browser = Self { driver, http, session: base };
        let session = browser.ask("POST", "/session", &wish).await.unwrap();
        browser.session = format!("{}/session/{}", browser.session, session["sessionId"].as_str().unwrap());
        browser
    }

    /// Sends one command; what it answers, or the words of its error.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let address = format!("{}{path}", self.session);
        let request = match method {
            "GET" => self.http.get(address),
            "DELETE" => self.http.delete(address),
            _ => self.http.post(address).header("content-type", "application/json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let well = answer.status().is_success();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        if well { Ok(answer["value"].clone()) } else { Err(answer["value"]["message"].to_string()) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask("POST", path, &body).await.unwrap_or_else(|fault| panic!("{path} {body}: {fault}"))
    }

    /// One command of the developer tools.
    pub(crate) async fn tools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// A window of this size, light or dark.
    pub(crate) async fn look(&self, width: u32, height: u32, dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.tools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.tools("Emulation.setEmulatedMedia", json!({"features": feature})).await;
    }

    pub(crate) async fn go(&self, address: &str) {
        self.post("/url", json!({"url": address})).await;
    }

    pub(crate) async fn address(&self) -> String {
        self.ask("GET", "/url", &Value::Null).await.unwrap().as_str().unwrap().to_owned()
    }

    pub(crate) async fn title(&self) -> String {
        self.ask("GET", "/title", &Value::Null).await.unwrap().as_str().unwrap().to_owned()
    }

    /// What a script returns. It works where the page's own are off as well.
    pub(crate) async fn run(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": arguments})).await
    }

    async fn element(&self, css: &str) -> Result<String, String> {
        let found = self.ask("POST", "/element", &json!({"using": "css selector", "value": css})).await?;
        Ok(found[ELEMENT].as_str().unwrap().to_owned())
    }

    /// The text of an element as people see it; nothing if there is none.
    pub(crate) async fn text(&self, css: &str) -> String {
        let Ok(element) = self.element(css).await else { return String::new() };
        let text = self.ask("GET", &format!("/element/{element}/text"), &Value::Null).await;
        // It may have been replaced since.
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self.element(css).await.unwrap();
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let element = self.element(css).await.unwrap();
        self.post(&format!("/element/{element}/clear"), json!({})).await;
        self.post(&format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Presses keys wherever the focus is.
    pub(crate) async fn press(&self, key: &str) {
        let keys = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": keys}]});
        self.post("/actions", actions).await;
    }

    /// Waits until `css` holds `words`.
    pub(crate) async fn see(&self, css: &str, words: &str) {
        let mut last = String::new();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            last = self.text(css).await;
            if last.contains(words) {
                return;
            }
            tokio::time::sleep(BETWEEN).await;
        }
        panic!("{words:?} does not appear in {css}, but {last:?}, at {}", self.address().await);
    }

    /// Waits until a script returns true.
    pub(crate) async fn until(&self, script: &str) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            // While a page loads there is none to ask.
            let asked = self.ask("POST", "/execute/sync", &json!({"script": script, "args": []})).await;
            if asked.is_ok_and(|answer| answer == true) {
                return;
            }
            tokio::time::sleep(BETWEEN).await;
        }
        panic!("never true: {script}, at {}", self.address().await);
    }

    /// The picture of the window, or of the whole page, as PNG.
    pub(crate) async fn picture(&self, whole: bool) -> Vec<u8> {
        let picture = json!({"format": "png", "captureBeyondViewport": whole});
        let mut wish = picture;
        if whole {
            let size = self.tools("Page.getLayoutMetrics", json!({})).await["cssContentSize"].clone();
            wish["clip"] =
                json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        }
        decode(self.tools("Page.captureScreenshot", wish).await["data"].as_str().unwrap())
    }

    /// What the console was told that is worse than a remark, since the last time this was asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().unwrap().iter();
        let bad = entries.filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG");
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that were asked for, since the last time this was asked.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "performance"})).await;
        let told = log.as_array().unwrap().iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let event = &message["message"];
            let sent = event["method"] == "Network.requestWillBeSent";
            sent.then(|| event["params"]["request"]["url"].as_str().map(str::to_owned))?
        });
        told.collect()
    }
}

/// Base64, as the developer tools give pictures.
fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits = 0_u32;
    let mut count = 0;
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}
