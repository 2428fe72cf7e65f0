//! What Kimai, or what stands before it, refuses: each reason has its code, its words and what to do.

use kimai_sync::domain::finding::Kind;
use kimai_sync::domain::ids::UserId;
use kimai_sync::domain::{EntryId, WorkLogUri};
use kimai_sync::progress::Progress;
use kimai_sync::queue::State;
use kimai_sync::reconcile::sweep::Period;
use kimai_sync::trackers::kimai::sandbox::{Entity, Fault, When};
use serde_json::{Value, json};

use crate::support::stack::{BASE, Stack};

const DAY: &str = "2024-09-02";

/// What the queue tells of a work log: code, reason, and the first hint.
async fn told(stack: &Stack, id: &str) -> (String, String, String) {
    let answer = stack.http.get(format!("{}/queue/{id}", stack.base)).send().await.unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of = "/data/attributes";
    (
        text(&format!("{of}/story/entry/code")),
        text(&format!("{of}/last-error")),
        text(&format!("{of}/story/help/0")),
    )
}

/// The same once a run has failed.
async fn failed(stack: &Stack, id: &str) -> (String, String, String) {
    loop {
        let told = told(stack, id).await;
        if !told.0.is_empty() {
            return told;
        }
        tokio::task::yield_now().await;
    }
}

fn role(stack: &Stack, roles: &[&str]) {
    stack.kimai.set(Entity::User(UserId::number(1)), "roles", json!(roles));
}

/// A work log that is in Kimai.
async fn synced(stack: &Stack, id: &str) -> String {
    let uri = stack.register(id, DAY, "PT8H").await;
    stack.notify(&[&uri]).await;
    uri
}

#[tokio::test(flavor = "multi_thread")]
async fn a_403_names_the_locked_period_the_export_or_the_right_that_is_missing() {
    let table: [(&[&str], bool, bool, &str, &str); 3] = [
        (&["ROLE_ADMIN"], true, false, "period-locked", "2024-09-02 is in a period that is locked"),
        (&["ROLE_TEAMLEAD"], false, true, "timesheet-exported", "edit_exported_timesheet"),
        (&["ROLE_TEAMLEAD"], false, false, "right-missing", "view_other_timesheet"),
    ];
    for (roles, locked, exported, code, words) in table {
        // Otherwise what is exported is left alone before Kimai refuses.
        let stack = Stack::embedded(&[("SYNC_EXPORTED", "overwrite")]).await;
        let uri = synced(&stack, "W1").await;
        let id: u64 = stack.links(&uri).await[0].parse().unwrap();
        if locked {
            stack.kimai.rules(|rules| rules.locked_before = Some("2024-10-01T00:00:00Z".parse().unwrap()));
        }
        stack.kimai.edit_timesheet(EntryId::number(id), |row| row.exported = exported);
        if code == "timesheet-exported" {
            // Somebody who leads the team sees it.
            let team = json!({"name": "All", "members": [{"user": 1, "teamlead": true}, {"user": stack.user, "teamlead": false}]});
            let url = format!("{}/teams", stack.kimai_api);
            let answer =
                stack.http.post(url).bearer_auth(crate::support::stack::TOKEN).json(&team).send().await;
            assert!(answer.unwrap().status().is_success());
        }
        role(&stack, roles);
        stack.change(&uri, "cal:duration", "\"PT7H\"").await;
        stack.notify(&[&uri]).await;
        let (said, why, help) = told(&stack, "W1").await;
        assert_eq!(said, code, "{why}");
        assert!(why.contains(words), "{why}");
        assert!(!help.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_in_a_locked_period_or_in_punch_mode_says_why() {
    let stack = Stack::embedded(&[]).await;
    role(&stack, &["ROLE_ADMIN"]);
    stack.kimai.rules(|rules| rules.locked_before = Some("2024-10-01T00:00:00Z".parse().unwrap()));
    synced(&stack, "L1").await;
    let (code, why, help) = told(&stack, "L1").await;
    assert_eq!(code, "period-locked", "{why}");
    assert!(
        why.contains("2024-09-02 is in a period") && help.contains("lockdown_override_timesheet"),
        "{why} {help}"
    );

    let stack = Stack::embedded(&[]).await;
    stack.kimai.rules(|rules| "punch".clone_into(&mut rules.tracking_mode));
    synced(&stack, "P1").await;
    let (code, why, help) = told(&stack, "P1").await;
    assert_eq!(code, "tracking-mode", "{why}");
    assert!(why.contains("Kimai does not take begin and end"), "{why}");
    assert!(help.contains("tracking mode to Default"), "{help}");
    let rules = stack.engine.doctor.examine().await.check("rules").unwrap().to_string();
    assert!(rules.contains("tracking mode is punch"), "{rules}");

    let stack = Stack::embedded(&[]).await;
    role(&stack, &[]);
    synced(&stack, "U1").await;
    let (code, why, _) = told(&stack, "U1").await;
    assert_eq!(code, "right-missing", "{why}");
    assert!(why.contains("does not take user") && why.contains("create_other_timesheet"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_401_says_whether_kimai_a_web_server_or_a_proxy_refused() {
    let page = "<html><h1>401 Authorization Required</h1></html>";
    let table = [
        (Fault::answer(401), "token-invalid", "API_TOKEN"),
        (
            Fault::answer(401)
                .header("Content-Type", "application/json")
                .body(r#"{"code":401,"message":"Unauthorized"}"#),
            "authorization-stripped",
            "CGIPassAuth On",
        ),
        (
            Fault::answer(401).header("WWW-Authenticate", "Basic realm=\"intern\"").body(page),
            "proxy-login",
            "auth_basic off",
        ),
    ];
    for (fault, code, words) in table {
        let stack = Stack::embedded(&[]).await;
        stack.kimai.fault(When::next("POST", "/api/timesheets").times(usize::MAX), fault);
        let uri = stack.register("W1", DAY, "PT8H").await;
        assert_eq!(stack.post("/delta", Some(crate::support::stack::delta(&[&uri]))).await.0, 204);
        let (said, why, help) = failed(&stack, "W1").await;
        assert_eq!(said, code, "{why}");
        assert!(help.contains(words), "{help}");
    }
}

/// A proxy in maintenance, or one that asks for a login: no word about this work log.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_any_call_is_waited_for_and_parks_nothing() {
    for (method, path) in
        [("POST", "/api/timesheets"), ("PATCH", "/api/timesheets/*"), ("DELETE", "/api/timesheets/*")]
    {
        let stack = Stack::embedded(&[]).await;
        let uri = if method == "POST" {
            stack.register("W1", DAY, "PT8H").await
        } else {
            synced(&stack, "W1").await
        };
        match method {
            "PATCH" => stack.change(&uri, "cal:duration", "\"PT7H\"").await,
            "DELETE" => stack.take_back(&uri).await,
            _ => {}
        }
        let elsewhere = Fault::answer(302).header("Location", "https://login.example/");
        stack.kimai.fault(When::next(method, path).times(usize::MAX), elsewhere);
        let sent = crate::support::stack::delta(&[&uri]);
        assert_eq!(stack.post("/delta", Some(sent)).await.0, 204);
        let entry = loop {
            let entry = stack.engine.queue.entry(&WorkLogUri::parse(&uri).unwrap()).await.unwrap();
            match entry.filter(|entry| entry.last_error.is_some()) {
                Some(entry) => break entry,
                None => tokio::task::yield_now().await,
            }
        };
        assert_ne!(entry.state, State::Parked, "{method}: {entry:?}");
        assert!(entry.last_error.unwrap().contains("is KIMAI_ENDPOINT right?"), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_changes_nothing_unasked_and_probes_neither_exported_nor_older_timesheets() {
    let stack = Stack::embedded(&[("CHECK_AT_START", "true")]).await;
    while stack.engine.doctor.latest().is_none() {
        tokio::task::yield_now().await;
    }
    let writes = || stack.kimai.requests().writes();
    assert_eq!(writes(), 0, "at start and hourly Kimai is only asked");
    let now = stack.engine.clock.now();
    for (begin, exported) in [(now, true), ("2024-09-02T00:00:00Z".parse().unwrap(), false)] {
        let id = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
        stack.kimai.edit_timesheet(id, |row| row.exported = exported);
    }
    stack.kimai.clear_requests();
    stack.engine.doctor.examine().await;
    let probed = stack.kimai.requests();
    assert_eq!((probed.count("POST", "/api/timesheets"), probed.count("PATCH", "/api/timesheets/*")), (1, 0));
    let open = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), now, Some(now));
    stack.engine.doctor.examine().await;
    assert_eq!(stack.kimai.requests().count("PATCH", &format!("/api/timesheets/{open}")), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timesheet_that_nobody_is_linked_to_is_shown_with_what_becomes_of_it() {
    let stack = Stack::embedded(&[("TZ", "Europe/Brussels")]).await;
    let (begin, end) = ("2024-09-02T06:00:00Z".parse().unwrap(), "2024-09-02T13:30:00Z".parse().unwrap());
    let id = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(end));
    let answer = stack.http.get(format!("{}/queue/{id}", stack.base)).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let text = answer.text().await.unwrap();
    for words in
        ["2024-09-02 08:00 to 2024-09-02 15:30 (7:30 hours)", "jane", "Website", "otherwise deletes it"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let page =
        stack.http.get(format!("{}/find?q={id}", stack.base)).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("has no work log") && page.contains("jane"), "{page}");
    // That Kimai does not answer does not make it nobody's.
    stack.kimai.fault(When::next("GET", "/api/timesheets/*").times(usize::MAX), Fault::answer(502));
    let answer = stack.http.get(format!("{}/queue/{id}", stack.base)).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("cannot be read from Kimai"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_removed_is_one_finding_in_words_of_our_zone() {
    let stack = Stack::embedded(&[("TZ", "Europe/Brussels")]).await;
    let (uri, other) = (synced(&stack, "W1").await, synced(&stack, "W2").await);
    let id: u64 = stack.links(&uri).await[0].parse().unwrap();
    let changed: u64 = stack.links(&other).await[0].parse().unwrap();
    stack.update(&format!("DELETE WHERE {{ <{uri}> dct:identifier ?id }}")).await;
    stack.kimai.edit_timesheet(EntryId::number(changed), |row| {
        row.end = Some("2024-09-02T05:00:00Z".parse().unwrap());
    });
    let period = Period { first: DAY.parse().unwrap(), last: DAY.parse().unwrap() };
    let plan = stack.engine.sweeper.plan(period, &Progress::unwatched()).await.unwrap();
    let [missing, differs] = plan.findings.as_slice() else { panic!("{:?}", plan.findings) };
    let (missing, differs) =
        if missing.kind == Kind::Missing { (missing, differs) } else { (differs, missing) };
    assert_eq!(
        (missing.kind, &missing.timesheets, missing.held),
        (Kind::Missing, &vec![EntryId::number(id)], None)
    );
    assert!(missing.reason.contains("its link is missing"), "{}", missing.reason);
    assert_eq!(differs.reason, "end: Kimai has 2024-09-02 07:00, the work log says 2024-09-02 08:00");
    stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await.unwrap();
    stack.quiet().await;
    assert_eq!(stack.links(&uri).await, [id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_hours_get_on_the_account_of_somebody_else() {
    let stack = Stack::embedded(&[]).await;
    stack
        .update(&format!(
            "INSERT {{ <{BASE}/persons/jane> foaf:account ?account }} WHERE {{ ?account foaf:accountName ?login .
               FILTER (STR(?login) = \"sync\") }}"
        ))
        .await;
    let uri = stack.register("W1", DAY, "PT8H").await;
    assert_eq!(stack.post("/delta", Some(crate::support::stack::delta(&[&uri]))).await.0, 204);
    let (code, why, help) = failed(&stack, "W1").await;
    assert_eq!((code.as_str(), stack.timesheets().len()), ("account-ambiguous", 0), "{why}");
    assert!(why.contains("'Jane' has several Kimai accounts linked (Kimai users 1 and"), "{why}");
    assert!(help.contains("linked to one Kimai account"), "{help}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_refuses_the_names_that_kimai_refuses() {
    let stack = Stack::embedded(&[]).await;
    for name in ["A<b", "A>b", "A \"b\"", "A=b"] {
        let url = format!("{}/activities", stack.kimai_api);
        let request = stack.http.post(url).bearer_auth(crate::support::stack::TOKEN);
        let answer = request.json(&json!({"name": name, "visible": true})).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{name}");
        assert!(answer.text().await.unwrap().contains("These characters are not allowed"), "{name}");
    }
}
