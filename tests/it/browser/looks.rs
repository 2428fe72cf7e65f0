//! How the page looks, at each width, in light and dark; and whether everybody can use it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::driver::Browser;
use super::{browser, orphan, parked, place};
use crate::process::program;
use crate::support::not_covered;
use crate::support::stack::{BASE, Stack, delta};

const WIDTHS: [u32; 4] = [390, 768, 1280, 1920];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Something of everything, hostile names among it.
async fn populated() -> Stack {
    let stack = Stack::embedded(&[("SWEEP_MAX_DELETIONS", "2")]).await;
    for (id, day, duration) in [("4E1A90", 2, "PT8H"), ("4E1A91", 3, "PT7H30M"), ("4E1A92", 4, "PT6H15M")] {
        let uri = stack.register(id, &format!("2024-09-{day:02}"), duration).await;
        stack.notify(&[&uri]).await;
    }
    parked(&stack, "7F00C2").await;
    for duration in ["-PT2H", "P1M", "\\\"><img src=x onerror=alert(1)>"] {
        let uri = stack.register(&format!("7F{}", duration.len()), "2024-09-06", duration).await;
        stack.notify(&[&uri]).await;
    }
    stack.engine.doctor.examine().await;
    stack.register("NEW001", "2024-09-09", "PT8H").await;
    stack.change(&format!("{BASE}/work-logs/4E1A91"), "cal:duration", "\"PT2H\"").await;
    let uri = stack.register("7F00C3", "2024-09-05", "PT1H").await;
    stack.change(&uri, "prov:wasAssociatedWith", &format!("<{BASE}/persons/nobody>")).await;
    stack
        .update(&format!("INSERT DATA {{ <{BASE}/persons/nobody> foaf:name \"<script>alert(1)</script>\" }}"))
        .await;
    let long = format!("{BASE}/work-logs/{}", "long".repeat(200));
    // The first is tried again for some time, so that the whole is never quiet.
    stack.post("/delta", Some(delta(&[&uri, &long]))).await;
    for day in [10, 11, 12] {
        orphan(&stack, day);
    }
    stack
}

/// Sends a form and gives where it leads.
async fn send(stack: &Stack, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = stack.http.post(format!("{}{path}", stack.base)).form(fields).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    place.split('?').next().unwrap().to_owned()
}

/// The script of axe-core, which `.ci/run` fetches.
fn axe() -> Option<String> {
    let script = std::fs::read_to_string(root().join("target/tools/axe-4.14.1.min.js")).ok();
    if script.is_none() {
        not_covered("axe-core: .ci/run fetches it to target/tools/axe-4.14.1.min.js");
    }
    script
}

/// What axe-core finds that is serious; by its rules for colours alone where nothing else differs.
async fn barriers(browser: &Browser, axe: &str, colours: bool) -> Vec<Value> {
    browser.tools("Runtime.evaluate", json!({"expression": axe})).await;
    let rules = if colours { ", runOnly: ['color-contrast']" } else { "" };
    let run = format!(
        "axe.run(document, {{resultTypes: ['violations']{rules}}}).then((found) => JSON.stringify(found.violations
        .filter((one) => ['serious', 'critical'].includes(one.impact))
        .map((one) => [one.id, one.help, one.nodes.slice(0, 3).map((node) => [node.html, node.failureSummary])])))"
    );
    let wish = json!({"expression": run, "awaitPromise": true, "returnByValue": true});
    let found = browser.tools("Runtime.evaluate", wish).await;
    serde_json::from_str(found["result"]["value"].as_str().unwrap_or_else(|| panic!("{found}"))).unwrap()
}

async fn keep(browser: &Browser, folder: &Path, name: &str, whole: bool) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), browser.picture(whole).await).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_fits_and_has_no_barrier_in_light_and_dark() {
    let Some(browser) = browser(true).await else { return };
    let stack = populated().await;
    let period = [("start", "2024-09-01"), ("end", "2024-09-30")];
    let plan = send(&stack, "/do/plan", &period).await;
    let sweep = send(&stack, "/do/sweep", &period).await;
    browser.go(&format!("{}{sweep}", stack.base)).await;
    browser.see("#run .run-state", "Done").await;
    let pages = [
        ("overview", "/".to_owned()),
        ("queue", "/entries?state=parked".to_owned()),
        ("queue-empty", "/entries?state=running".to_owned()),
        ("runs", "/run".to_owned()),
        ("plan", plan),
        ("sweep", sweep),
        ("work-log", place("7F00C2")),
        ("work-log-synced", place("4E1A90")),
        ("search", "/find?q=%3Cscript%3E".to_owned()),
        ("fault", "/run/999".to_owned()),
        ("docs", "/docs".to_owned()),
    ];
    let guarded = Stack::embedded(&[("OPS_TOKEN", "0123456789abcdef0123456789-ops")]).await;
    let mut pages: Vec<_> = pages.map(|(name, path)| (name, format!("{}{path}", stack.base))).into();
    pages.push(("login", format!("{}/login?next=/run", guarded.base)));
    let axe = axe();
    browser.requests().await;
    for (name, address) in &pages {
        for dark in [false, true] {
            for width in WIDTHS {
                browser.look(width, 900, dark).await;
                browser.go(address).await;
                browser.until("return document.readyState === 'complete'").await;
                let over = "const width = document.documentElement.clientWidth;
                    if (document.scrollingElement.scrollWidth <= width) return [];
                    return [...document.querySelectorAll('body *')]
                        .filter((one) => one.getBoundingClientRect().right > width).map((one) => one.outerHTML.slice(0, 200))";
                assert_eq!(browser.run(over, json!([])).await, json!([]), "{name} is wider than {width}");
                let shade = if dark { "dark" } else { "light" };
                if width == 1280 || width == 390 {
                    keep(
                        &browser,
                        &root().join("target/screenshots"),
                        &format!("{name}-{width}-{shade}"),
                        true,
                    )
                    .await;
                    if let Some(axe) = &axe {
                        let found = barriers(&browser, axe, dark).await;
                        assert!(found.is_empty(), "{name} {width} {shade}: {found:#?}");
                    }
                }
            }
        }
    }
    let foreign: Vec<String> = browser
        .requests()
        .await
        .into_iter()
        .filter(|address| {
            ![&stack.base, &guarded.base, "data:"].iter().any(|ours| address.starts_with(*ours))
        })
        .collect();
    assert_eq!(foreign, Vec::<String>::new(), "nothing comes from elsewhere");
    let complaints = browser.complaints().await;
    // That an answer was 404 the browser says itself.
    let complaints: Vec<_> = complaints.iter().filter(|one| !one.contains("status of 404")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The demo as a newcomer meets it. With `KIMAI_SYNC_SCREENSHOTS` the pictures in `docs/screenshots` are made anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_of_the_demo_leads_to_a_page_that_is_alive() {
    let Some(browser) = browser(true).await else { return };
    let mut demo = Demo(program(&["demo"]).env("PORT", "0").spawn().unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.split_whitespace().find(|word| word.starts_with("http://")).expect(&first).to_owned();
    // Somebody has to read what it prints.
    let reader = tokio::task::spawn_blocking(move || lines.for_each(drop));
    browser.look(1280, 860, false).await;
    browser.go(&address).await;
    browser.see("#runs", "1 difference").await;
    browser.see("#state", "1 work log needs").await;
    browser.see("#checks", "passed").await;
    let synced = "return document.querySelector('#pulse .figures').textContent";
    let before = browser.run(synced, json!([])).await;
    browser.until(&format!("{synced} !== {before}")).await;
    let anew = std::env::var_os("KIMAI_SYNC_SCREENSHOTS").is_some();
    let folder = root().join(if anew { "docs/screenshots" } else { "target/screenshots" });
    for (name, path, width, dark) in [
        ("overview", "/", 1280, false),
        ("overview-dark", "/", 1280, true),
        ("plan", "/run/4", 1280, false),
        ("overview-narrow", "/", 390, false),
    ] {
        browser.look(width, 860, dark).await;
        browser.go(&format!("{address}{path}")).await;
        browser.see("#content h1", " ").await;
        keep(&browser, &folder, &format!("demo-{name}"), false).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    drop(demo);
    reader.await.unwrap();
}

/// A demo that is under way. Killed when dropped.
struct Demo(std::process::Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
