//! That each number is there, moves when it should, and never makes a series of its own.

use super::*;

fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.text(Format::Prometheus);
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

/// A dashboard that shows "no data" says nothing of whether all is well.
#[test]
fn every_combination_of_labels_is_there_at_zero() {
    let text = Metrics::new().text(Format::Prometheus);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for row in TABLE.iter().filter(|row| row.kind != Kind::Histogram) {
        for labels in combinations(row) {
            let labels: Vec<String> = labels.iter().map(|(name, of)| format!("{name}=\"{of}\"")).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let zero = if matches!(row.name, "build_info" | "queue_writable") { "1" } else { "0" };
            let series = format!("{PREFIX}_{}{labels} {zero}", row.name);
            let is_it = |line: &&&str| line.trim_end_matches(".0") == series;
            assert!(samples.iter().any(|line| is_it(&line)), "{series} is not in:\n{text}");
        }
    }
    assert!(text.contains("kimai_sync_kimai_request_seconds_count{operation=\"create\"} 0"), "{text}");
}

/// A label value that is not in the table would be a series that was not there from the start.
#[test]
fn nothing_that_can_be_counted_makes_a_new_series() {
    let metrics = Metrics::new();
    let before = metrics.text(Format::Prometheus).lines().count();
    for operation in Operation::ALL {
        for status in (0..1000).map(Some).chain([None]) {
            metrics.kimai_answered(operation, status, Duration::ZERO);
        }
    }
    for answer in [Answer::Ok, Answer::Refused, Answer::Failed] {
        metrics.triplestore_answered(true, answer, Duration::ZERO);
        metrics.triplestore_answered(false, answer, Duration::ZERO);
    }
    metrics.intent_resolved(Resolved::Adopted);
    metrics.intent_resolved(Resolved::Absent);
    for result in table::RESULTS {
        metrics.reconciled(result, Duration::ZERO);
    }
    metrics.delta(3, 2);
    metrics.delta_refused();
    for hold in Hold::ALL {
        metrics.deletion_held(hold);
    }
    assert_eq!(metrics.text(Format::Prometheus).lines().count(), before);
    let seen = value(&metrics, "kimai_sync_kimai_requests_total{operation=\"create\",status=\"4xx\"}");
    assert_eq!(seen, Some(95.0));
}

#[tokio::test(start_paused = true)]
async fn pauses_count_once_and_only_when_they_are_over() {
    let metrics = Metrics::new();
    let seconds = |wanted: f64| {
        let found = value(&metrics, "kimai_sync_kimai_limited_seconds_total").unwrap();
        assert!((found - wanted).abs() < 0.01, "{found}, not {wanted}");
    };
    let start = Instant::now();
    metrics.limited(start + Duration::from_secs(10));
    metrics.limited(start + Duration::from_secs(10)); // four workers are told the same
    seconds(0.0);
    tokio::time::advance(Duration::from_secs(4)).await;
    seconds(4.0);
    metrics.limited(start + Duration::from_secs(12));
    tokio::time::advance(Duration::from_secs(20)).await;
    seconds(12.0);
    metrics.limited(Instant::now() + Duration::from_secs(1));
    tokio::time::advance(Duration::from_secs(1)).await;
    seconds(13.0);
}
