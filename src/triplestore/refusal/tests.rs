//! How sparql-parser 0.0.14 and 0.0.15, Virtuoso 7.2, and what stands before them say no.

use serde_json::json;

use super::*;

const JSON: Option<&str> = Some("application/json");
const TEXT: Option<&str> = Some("text/plain");
const HTML: Option<&str> = Some("text/html; charset=utf-8");

/// What sparql-parser answers when a condition ends its work on a statement.
fn condition(printed: &str) -> String {
    json!({
        "status": 500, "message": "Failed to process query.", "mu-call-id": "7d1", "mu-call-id-trail": null,
        "mu-session-id": null, "mu-auth-sudo": null, "mu-auth-allowed-groups": "[{\"name\":\"public\"}]",
        "mu-call-scope": "http://services.redpencil.io/timekeeper-kimai-sync-service",
        "internal-error": printed, "source-ip": "172.18.0.9",
    })
    .to_string()
}

/// How Lisp prints the removal of a link that no graph of the scope takes.
const UNWRITTEN: &str = "#<UNWRITTEN-DATA-ERROR \n  DELETE:\n    (SUBJECT #S(MATCH :TERM IRIREF :RULE NIL :SUBMATCHES (#S(SCANNED-TOKEN :START 0 :END 31 :STRING \"<http://other.example/logs/67BF>\" :TOKEN IRIREF))) PREDICATE #S(MATCH :TERM IRIREF :RULE NIL :SUBMATCHES (#S(SCANNED-TOKEN :START 0 :END 37 :STRING \"<http://purl.org/dc/terms/identifier>\" :TOKEN IRIREF))) OBJECT #S(MATCH :TERM RDFLiteral) GRAPH NIL)\n\n  INSERT:\n\n>";

const STATEMENT: &str = "PREFIX dct: <http://purl.org/dc/terms/>\nDELETE { <http://other.example/logs/67BF> dct:identifier ?id }\nWHERE { <http://other.example/logs/67BF> dct:identifier ?id }";

fn fault(status: u16, content_type: Option<&str>, body: &str) -> TriplestoreFault {
    Answered { status, content_type, body: body.as_bytes() }.fault(STATEMENT)
}

/// What a fault is, in a word.
fn kind(fault: &TriplestoreFault) -> &'static str {
    match fault {
        TriplestoreFault::Transient(_) => "outage",
        TriplestoreFault::Failed(_) => "failed",
        TriplestoreFault::Refused(refusal) if refusal.is_not_writable() => "not writable",
        TriplestoreFault::Refused(_) => "refused",
        TriplestoreFault::Unreadable(_) | TriplestoreFault::Incomplete(_) => "unreadable",
    }
}

#[test]
fn a_statement_that_is_refused_is_told_from_an_outage() {
    let unwritten = condition(UNWRITTEN);
    let packaged = condition(&UNWRITTEN.replace("#<UNWRITTEN", "#<HANDLE-UPDATE-UNIT::UNWRITTEN"));
    let token = condition(
        "No matching token found at position 12\nValid options: (\"{\" VAR1)\nStack top: WhereClause",
    );
    let rule = condition("No rule found at position 40\nStack top: TriplesTemplate, next token VAR1");
    let table = [
        // sparql-parser.
        (500, JSON, unwritten.as_str(), "not writable"),
        (500, None, &unwritten, "not writable"),
        (500, Some("application/json; charset=utf-8"), &packaged, "not writable"),
        (500, JSON, &token, "refused"),
        (500, JSON, &rule, "refused"),
        (500, JSON, &condition("Error during parsing: Token VAR1 does not match IRIREF."), "refused"),
        (500, JSON, &condition("No transition rules found for state X"), "refused"),
        (500, JSON, &condition("Term LOAD is not supported"), "refused"),
        (500, JSON, &condition("Match is invalid #S(MATCH)"), "refused"),
        (500, JSON, &condition("#<NO-RULE-FOUND {1001}>"), "refused"),
        (500, JSON, &condition("Failed to execute query"), "outage"),
        (500, JSON, &condition("Condition SUPPORT:SEMAPHORE-TIMEOUT was signalled."), "outage"),
        (500, JSON, &condition("The value NIL is not of type STRING when binding SB-IMPL::STRING"), "failed"),
        (500, JSON, &condition("#<SOMETHING-NEW {1001}>"), "failed"),
        (500, JSON, &condition(""), "failed"),
        (500, JSON, r#"{"status":500,"message":"Failed to process query."}"#, "outage"),
        (500, JSON, r#"["internal-error"]"#, "outage"),
        (500, JSON, r#"{"internal-error":7}"#, "outage"),
        (500, JSON, r#"{"internal-error":"#, "outage"),
        (500, TEXT, "An error occurred #<UNWRITTEN-DATA-ERROR \n DELETE:", "outage"),
        (500, TEXT, &unwritten, "outage"),
        (500, HTML, &unwritten, "outage"),
        // Half an emoji in what it prints.
        (500, JSON, &unwritten.replace("RDFLiteral", "\\uD83D"), "not writable"),
        // Virtuoso, itself or passed on.
        (400, TEXT, "Virtuoso 37000 Error SP030: SPARQL compiler, line 1: syntax error at '}'", "refused"),
        (500, TEXT, "Virtuoso 37000 Error SP031: SPARQL compiler: Internal error", "refused"),
        (500, TEXT, "Virtuoso S1T00 Error SR171: Transaction timed out", "outage"),
        (400, TEXT, "Virtuoso S1T00 Error SR171: Transaction timed out", "outage"),
        (500, TEXT, "Virtuoso 40001 Error SR172: Transaction deadlocked", "outage"),
        (500, JSON, &condition("Virtuoso 40001 Error SR172: Transaction deadlocked"), "outage"),
        (
            500,
            JSON,
            &condition("Virtuoso 37000 Error SP030: SPARQL compiler, line 1: syntax error"),
            "refused",
        ),
        (500, TEXT, "Virtuoso 42000 Error SR186:SECURITY: No permission to execute procedure", "outage"),
        (
            500,
            TEXT,
            "Virtuoso 42000 Error The estimated execution time 701 (sec) exceeds the limit",
            "failed",
        ),
        (500, TEXT, "Virtuoso 22007 Error DT006: Cannot convert soon to datetime", "refused"),
        (500, TEXT, "Virtuoso 22026 Error SR319: Max row length is exceeded", "refused"),
        (500, TEXT, "Virtuoso 08C01 Error CL001: Cannot connect", "outage"),
        // Any endpoint, and what stands before one.
        (500, None, "", "outage"),
        (502, HTML, "<html>bad gateway</html>", "outage"),
        (503, TEXT, "checkpoint\n in progress", "outage"),
        (504, None, "", "outage"),
        (404, None, "", "outage"),
        (408, None, "", "outage"),
        (429, None, "", "outage"),
        (400, TEXT, "Parse error: Lexical error at line 1", "refused"),
        (400, None, "", "refused"),
        (413, HTML, "<html>Request Entity Too Large</html>", "refused"),
        (400, HTML, "<html>Bad Request</html>", "outage"),
        (302, HTML, "<html>Log in</html>", "outage"),
        (401, None, "", "outage"),
        (403, HTML, "<html>Forbidden</html>", "outage"),
    ];
    for (status, content_type, body, wanted) in table {
        assert_eq!(kind(&fault(status, content_type, body)), wanted, "{status} {content_type:?} {body}");
    }
}

#[test]
fn a_refused_write_brings_its_statement_and_the_line_for_config_lisp() {
    let removal = fault(500, JSON, &condition(UNWRITTEN)).to_string();
    for words in [
        r#"Add (add-type-for-prefix "http://other.example/logs/" "http://www.w3.org/2002/12/cal/ical#Vevent") to config/authorization/config.lisp, then restart"#,
        "the statement: DELETE { <http://other.example/logs/67BF> dct:identifier ?id } WHERE",
        "#<UNWRITTEN-DATA-ERROR DELETE: (SUBJECT",
    ] {
        assert!(removal.contains(words), "{words:?} is not in {removal}");
    }
    for words in ["PREFIX", "mu-auth", "172.18", "\n"] {
        assert!(!removal.contains(words), "{words:?} is in {removal}");
    }
    let added =
        UNWRITTEN.replace("DELETE:", "X:").replace("INSERT:", "").replace("X:", "DELETE:\n\n  INSERT:");
    let added = fault(500, JSON, &condition(&added)).to_string();
    assert!(added.contains("grant the service's scope write access to cal:Vevent"), "{added}");
    // Where Lisp prints it in another way, the statement tells.
    let bare = fault(500, JSON, &condition("#<UNWRITTEN-DATA-ERROR {10}>")).to_string();
    assert!(bare.contains("\"http://other.example/logs/\""), "{bare}");
    let code = fault(500, JSON, &condition(UNWRITTEN)).code();
    assert_eq!(code.word(), "triplestore-refused-write");
}

#[test]
fn no_message_is_a_book() {
    let long = condition(&format!("#<UNWRITTEN-DATA-ERROR {}", "é".repeat(100_000)));
    let fault =
        Answered { status: 500, content_type: JSON, body: long.as_bytes() }.fault(&"x ".repeat(100_000));
    assert!(fault.to_string().chars().count() < 1_500, "{fault}");
}

#[test]
fn a_prefix_ends_where_the_name_begins() {
    let table = [
        ("http://x/work-logs/1", "http://x/work-logs/"),
        ("http://x/logs#1", "http://x/logs#"),
        ("http://x/", "http://x/"),
        ("urn:uuid:1", "urn:uuid:"),
        ("1", "1"),
    ];
    for (iri, prefix) in table {
        assert_eq!(prefix_of(iri), prefix);
    }
}

#[test]
fn a_reason_is_the_same_whatever_it_names_and_counts() {
    let failed = |said: &str| TriplestoreFault::Failed(said.to_owned()).gist();
    let nil = failed("it answered 500: The value NIL is not of type STRING at 3");
    assert_eq!(nil, failed("it answered 500: The value NIL is not of type STRING at 17"));
    assert_eq!(failed("not done: <http://x/1>"), failed("not done: <http://x/2>"));
    assert_ne!(nil, failed("it answered 500: Transaction deadlocked"));
    assert_ne!(failed("x"), TriplestoreFault::Incomplete("x".to_owned()).gist());
}
