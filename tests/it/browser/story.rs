//! What people do with the page.

use super::driver::{ENTER, TAB};
use super::{browser, orphan, parked, place};
use crate::support::stack::{BASE, Stack};

const TOKEN: &str = "0123456789abcdef0123456789-ops";

/// Presses Tab until the focus is on what `script` says, and fails if it never is.
async fn tab_to(browser: &super::Browser, script: &str) {
    for _ in 0..80 {
        browser.press(TAB).await;
        if browser.run(script, serde_json::json!([])).await == true {
            return;
        }
    }
    panic!("not reached by Tab: {script}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_shows_without_a_reload() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[]).await;
    browser.look(1280, 900, false).await;
    browser.go(&stack.base).await;
    browser.see("#live-note", "Updates are live").await;
    browser.see("#state", "Everything is synced").await;
    browser.run("window.mark = 'still here'", serde_json::json!([])).await;

    let task = stack.task(stack.activity).await;
    let triples = |id: &str, duration: &str| {
        format!(
            "<{BASE}/work-logs/{id}> a cal:Vevent ; mu:uuid \"{id}\" ; cal:duration \"{duration}\" ;
              cal:dtstart \"2024-09-02\"^^xsd:date ; dct:subject <{task}> ; prov:wasAssociatedWith <{BASE}/persons/jane> ."
        )
    };
    let prefixes = kimai_sync::triplestore::vocabulary::PREFIXES;
    let update =
        format!("{prefixes}INSERT DATA {{ {} {} }}", triples("good", "PT8H"), triples("bad", "8 hours"));
    let sent = stack.http.post(format!("{}/sparql", stack.base)).form(&[("update", update)]).send().await;
    assert!(sent.unwrap().status().is_success());
    browser.see("#state", "1 work log needs").await;
    browser.see("#pulse .figures", "1 synced").await;
    browser.see("#attention", "cannot be booked").await;
    assert_eq!(browser.title().await, "1 parked · kimai-sync");
    assert_eq!(
        browser.run("return document.getElementById('told').textContent", serde_json::json!([])).await,
        "1 parked"
    );
    assert_eq!(browser.run("return window.mark", serde_json::json!([])).await, "still here");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_entry_is_retried_with_the_keyboard_alone() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[]).await;
    let (first, second) = (parked(&stack, "A").await, parked(&stack, "B").await);
    browser.look(1280, 900, false).await;
    browser.go(&format!("{}/entries?state=parked", stack.base)).await;
    browser.see("#entries-title", "Parked: 2").await;
    stack.change(&second, "cal:duration", "\"PT2H\"").await;
    browser.press(TAB).await;
    assert_eq!(browser.run("return document.activeElement.className", serde_json::json!([])).await, "skip");
    tab_to(&browser, "return document.activeElement.getAttribute('aria-label') === 'Retry B'").await;
    let ring = "return getComputedStyle(document.activeElement).outlineStyle !== 'none'";
    assert_eq!(browser.run(ring, serde_json::json!([])).await, true, "the focus can be seen");
    browser.press(ENTER).await;
    browser.see("#said", "being retried").await;
    browser.see("#entries-title", "Parked: 1").await;
    assert_eq!(browser.run("return document.activeElement.id", serde_json::json!([])).await, "said");
    assert_eq!(stack.timesheets().len(), 1);

    stack.change(&first, "cal:duration", "\"PT1H\"").await;
    browser.click("#retry-all").await;
    browser.see("#entries", "There are none").await;
    assert_eq!(stack.timesheets().len(), 2);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_is_compared_put_right_and_held_deletions_confirmed() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[("SWEEP_MAX_DELETIONS", "1")]).await;
    stack.register("new", "2024-09-03", "PT8H").await;
    let moved = stack.register("changed", "2024-09-04", "PT8H").await;
    stack.notify(&[&moved]).await;
    stack.change(&moved, "cal:duration", "\"PT2H\"").await;
    orphan(&stack, 10);
    orphan(&stack, 11);
    browser.look(1280, 900, false).await;
    browser.go(&stack.base).await;
    let fill = "document.getElementById('sweep-start').value = '2024-09-01';
        document.getElementById('sweep-end').value = '2024-09-30';";
    browser.run(fill, serde_json::json!([])).await;
    browser.click("form.fields button.primary").await;
    browser.see("#run .run-state", "Done").await;
    browser.see("#findings-title", "4 differences").await;
    let table = browser.text("#findings table").await;
    for words in [
        "Not in Kimai",
        "Differs",
        "Without a work log",
        "needs confirmation",
        "Create a timesheet",
        "Project Website (",
        "Activity Analysis (",
    ] {
        assert!(table.contains(words), "{words:?} is not in {table}");
    }
    assert_eq!(stack.timesheets().len(), 3, "nothing is changed yet");

    browser.click("#apply").await;
    browser.see("#run-title", "Sweep of 2024-09-01 to 2024-09-30").await;
    browser.see("#run .run-state", "Done").await;
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 4, "the missing one is there, and none is deleted");
    browser.see("#run", "2 deletions held back").await;
    browser.click("#confirm").await;
    browser.until("return location.pathname.endsWith('/6')").await;
    browser.see("#run .run-state", "Done").await;
    browser.see("#run", "2 deleted").await;
    assert_eq!(stack.timesheets().len(), 2);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entry_is_explained_whatever_it_is_called() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[]).await;
    let good = stack.register("GOOD", "2024-09-02", "PT8H").await;
    stack.notify(&[&good]).await;
    parked(&stack, "BAD").await;
    let id = stack.timesheets()[0].0;
    browser.look(1280, 900, false).await;
    browser.go(&stack.base).await;
    for (text, words) in [
        ("GOOD", "In sync"),
        (good.as_str(), "In sync"),
        (&id.to_string(), "In sync"),
        ("BAD", "Not in Kimai"),
    ] {
        browser.fill("#search", text).await;
        browser.press(ENTER).await;
        browser.see("#story .run-state", words).await;
    }
    browser.see("#story .help", "correct its duration").await;
    stack.change(&format!("{BASE}/work-logs/BAD"), "cal:duration", "\"PT3H\"").await;
    browser.click("#retry").await;
    // Without a reload.
    browser.see("#said", "being retried").await;
    browser.see("#story .run-state", "In sync").await;
    browser.see("#history", "Created timesheet").await;
    assert!(!browser.address().await.contains("said"), "what was said is not said again");
    browser.see("#history", "Parked").await;
    browser.go(&format!("{}{}", stack.base, place("GOOD"))).await;
    let page = browser.text("main").await;
    for words in ["Jane", "Analysis", "ACME", "Website", "Created timesheet", "2024-09-02 00:00 – 08:00, 8 h"]
    {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
    browser.fill("#search", "nobody").await;
    browser.press(ENTER).await;
    browser.see("main h1", "Nothing found for “nobody”").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_read_and_used_without_javascript() {
    let Some(browser) = browser(false).await else { return };
    let stack = Stack::embedded(&[]).await;
    let uri = parked(&stack, "A").await;
    browser.look(1280, 900, false).await;
    browser.go(&stack.base).await;
    browser.see("#state", "1 work log needs").await;
    assert_eq!(browser.text("#live-note").await, "", "no script ran");
    stack.change(&uri, "cal:duration", "\"PT2H\"").await;
    browser.click("[data-key] form button").await;
    browser.see("#said", "being retried").await;
    stack.quiet().await;
    browser.go(&stack.base).await;
    browser.see("#state", "Everything is synced").await;
    browser.click("button[value=last-month]").await;
    browser.see("#run-title", "Plan for").await;
    browser.go(&format!("{}/run", stack.base)).await;
    browser.see("#runs", "Plan for").await;
    browser.fill("#search", "A").await;
    browser.press(ENTER).await;
    browser.see("#story .run-state", "In sync").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_told() {
    let Some(browser) = browser(true).await else { return };
    let mut stack = Stack::embedded(&[]).await;
    browser.look(1280, 900, false).await;
    browser.go(&stack.base).await;
    browser.see("#live-note", "Updates are live").await;
    stack.halt().await;
    browser.see("#connection", "Connection lost").await;
}

/// Lets the page take its stream up anew, as after a time in the background.
async fn listen_anew(browser: &super::Browser) {
    let hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => arguments[0]});
        document.dispatchEvent(new Event('visibilitychange'))";
    browser.run(&hide.replace("arguments[0]", "true"), serde_json::json!([])).await;
    browser.run(&hide.replace("arguments[0]", "false"), serde_json::json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_session_ended_is_told_to_log_in_and_comes_back_to_the_page() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[("OPS_TOKEN", TOKEN)]).await;
    browser.look(1280, 900, false).await;
    browser.go(&format!("{}/entries?state=parked", stack.base)).await;
    browser.fill("#token", TOKEN).await;
    browser.press(ENTER).await;
    browser.see("#live-note", "Updates are live").await;
    browser.tools("Network.clearBrowserCookies", serde_json::json!({})).await;
    listen_anew(&browser).await;
    browser.see("#connection", "You are logged out").await;
    browser.click("#connection a").await;
    browser.fill("#token", TOKEN).await;
    browser.press(ENTER).await;
    browser.see("#entries-title", "Parked").await;
    assert_eq!(browser.address().await, format!("{}/entries?state=parked", stack.base));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_kept_up_to_date_says_why() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[]).await;
    let listen = || stack.http.get(format!("{}/updates?page=runs", stack.base)).send();
    let mut others = Vec::new();
    for _ in 0..100 {
        others.push(listen().await.unwrap());
    }
    browser.look(1280, 900, false).await;
    browser.go(&stack.base).await;
    browser.see("#connection", "Too many pages are open").await;
    drop(others);
    // That nobody listens any more shows to the service when it next says something.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while listen().await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "a place is free again");
        tokio::task::yield_now().await;
    }
    browser.see("#live-note", "Updates are live").await;
    browser.until("return document.getElementById('connection').textContent === ''").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_logs_in_and_out() {
    let Some(browser) = browser(true).await else { return };
    let stack = Stack::embedded(&[("OPS_TOKEN", TOKEN)]).await;
    browser.look(1280, 900, false).await;
    browser.go(&format!("{}/run", stack.base)).await;
    browser.see("main h1", "kimai-sync").await;
    browser.fill("#token", "not the token").await;
    browser.press(ENTER).await;
    browser.see(".fault", "Wrong token").await;
    browser.complaints().await; // the browser itself tells of the 401
    browser.fill("#token", TOKEN).await;
    browser.press(ENTER).await;
    browser.see("h1", "Runs").await;
    browser.see("#live-note", "Updates are live").await;
    browser.click("button[value=this-month]").await;
    browser.see("#run .run-state", "Done").await;
    let cookies = browser.run("return document.cookie", serde_json::json!([])).await;
    assert_eq!(cookies, "", "no script can read the cookie");
    browser.click(".logout button").await;
    browser.see(".login label", "Token").await;
    browser.go(&stack.base).await;
    browser.see(".login label", "Token").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
