//! What every store keeps of jobs.

use std::collections::BTreeSet;

use super::{Home, Open, Options, work_log};
use crate::domain::WorkLogUri;
use crate::domain::finding::{Finding, Hold, Kind, Unconfirmed};
use crate::store::jobs::{FindingFilter, JobRecord};

fn record(id: u64, text: &str) -> JobRecord {
    JobRecord { id, body: format!("{{\"text\":\"{text}\"}}") }
}

pub(crate) async fn records_are_kept_as_they_were_the_oldest_first(home: impl Home) {
    let options = Options::at(0);
    let Open { jobs, .. } = home.open(&options);
    assert_eq!(jobs.load(), Ok(vec![]));
    jobs.save(vec![record(2, "é'\\\\\""), record(1, "one")]).await.unwrap();
    jobs.save_now(vec![record(10, "ten")]).unwrap();
    jobs.save(vec![record(1, "one, changed")]).await.unwrap();
    let kept = [record(1, "one, changed"), record(2, "é'\\\\\""), record(10, "ten")];
    assert_eq!(home.killed().open(&options).jobs.load().unwrap(), kept);
    jobs.remove(&[1, 7, 10]).await.unwrap();
    assert_eq!(home.killed().open(&options).jobs.load().unwrap(), kept[1..2]);
}

pub(crate) async fn records_are_paged_from_the_newest_on(home: impl Home) {
    let Open { jobs, .. } = home.open(&Options::at(0));
    jobs.save((1..=5).map(|id| record(id, "")).collect()).await.unwrap();
    let page = async |before, most| {
        let page = jobs.newest(before, most).await.unwrap();
        page.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [5, 4]);
    assert_eq!(page(Some(4), 2).await, [3, 2]);
    assert_eq!(page(Some(2), 2).await, [1]);
    assert_eq!(page(Some(1), 2).await, [0; 0]);
}

pub(crate) async fn findings_are_paged_filtered_and_replaced(home: impl Home) {
    let options = Options::at(0);
    let Open { jobs, .. } = home.open(&options);
    let mut findings: Vec<Finding> = (1..=1_200).map(|id| Finding::orphan(id, None)).collect();
    findings[700].held = Some(Hold::Recent);
    findings[900].kind = Kind::Dangling;
    findings[900].work_log = Some(work_log(1));
    jobs.put_findings(7, &[Finding::orphan(1, None), Finding::orphan(2, None)]).await.unwrap();
    jobs.put_findings(7, &findings).await.unwrap();
    jobs.put_findings(8, &[Finding::orphan(3, None)]).await.unwrap();
    let numbers = async |filter: FindingFilter, after| {
        let page = jobs.findings(7, filter, after, 3).await.unwrap();
        page.iter().map(|(n, finding)| (*n, finding.timesheets[0].as_number().unwrap())).collect::<Vec<_>>()
    };
    let all = FindingFilter::default();
    assert_eq!(numbers(all, 0).await, [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(numbers(all, 1_198).await, [(1_199, 1_199), (1_200, 1_200)]);
    assert_eq!(numbers(all, u64::MAX).await, [(0, 0); 0]);
    assert_eq!(numbers(FindingFilter { held: true, ..all }, 0).await, [(701, 701)]);
    assert_eq!(numbers(FindingFilter { kind: Some(Kind::Dangling), ..all }, 0).await, [(901, 901)]);
    let kept = home.killed().open(&options).jobs.findings(7, all, 0, 2_000).await.unwrap();
    assert!(kept.into_iter().map(|(_, finding)| finding).eq(findings), "as they were");
    jobs.remove_findings(7).await.unwrap();
    assert_eq!(jobs.findings(7, all, 0, 9).await, Ok(vec![]));
    assert_eq!(jobs.findings(8, all, 0, 9).await, Ok(vec![(1, Finding::orphan(3, None))]), "of another job");
}

pub(crate) async fn what_is_held_back_is_counted_and_waits_for_confirmation(home: impl Home) {
    let Open { jobs, .. } = home.open(&Options::at(0));
    let waits = Finding::orphan(1, Some(Hold::Unconfirmed));
    let lost = Finding { kind: Kind::Gone, ..Finding::orphan(2, Some(Hold::KimaiLostData)) };
    let all = [
        waits.clone(),
        Finding::orphan(3, Some(Hold::Recent)),
        Finding::orphan(4, None),
        lost.clone(),
        Finding::orphan(5, Some(Hold::Recent)),
    ];
    jobs.put_findings(7, &all).await.unwrap();
    jobs.put_findings(8, &[Finding::orphan(9, Some(Hold::Unconfirmed))]).await.unwrap();
    let counted = [(Hold::Unconfirmed, 1), (Hold::KimaiLostData, 1), (Hold::Recent, 2)];
    assert_eq!(jobs.held_back(7).await, Ok(counted.into()));
    assert_eq!(jobs.held_back(9).await, Ok([].into()));
    assert_eq!(jobs.unconfirmed(7).await, Ok(Unconfirmed::of(&[waits, lost])));
    assert!(jobs.unconfirmed(9).await.unwrap().is_empty());
}

pub(crate) async fn a_removed_job_leaves_no_findings(home: impl Home) {
    let Open { jobs, .. } = home.open(&Options::at(0));
    jobs.save(vec![record(1, ""), record(2, "")]).await.unwrap();
    for id in [1, 2] {
        jobs.put_findings(id, &(1..=1_001).map(|id| Finding::orphan(id, None)).collect::<Vec<_>>())
            .await
            .unwrap();
    }
    jobs.remove(&[1]).await.unwrap();
    let count = async |id| jobs.findings(id, FindingFilter::default(), 0, 2_000).await.unwrap().len();
    assert_eq!((count(1).await, count(2).await), (0, 1_001));
}

pub(crate) async fn queued_work_logs_are_kept_until_they_are_removed(home: impl Home) {
    let options = Options::at(0);
    let Open { jobs, .. } = home.open(&options);
    let uri = |n: usize| WorkLogUri::parse(&format!("http://x/{n}")).unwrap();
    let queued: BTreeSet<_> = (0..1_001).map(uri).collect();
    jobs.put_queued(7, &[work_log(1)].into()).await.unwrap();
    jobs.put_queued(7, &queued).await.unwrap();
    jobs.put_queued(8, &[work_log(2)].into()).await.unwrap();
    let killed = home.killed();
    let kept = killed.open(&options).jobs;
    assert_eq!((kept.queued(7), kept.queued(9)), (Ok(queued), Ok([].into())));
    jobs.remove_queued(7).await.unwrap();
    assert_eq!((jobs.queued(7), jobs.queued(8)), (Ok([].into()), Ok([work_log(2)].into())));
}
