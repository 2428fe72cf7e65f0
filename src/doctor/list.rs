//! Checks whether Kimai's list of timesheets is complete and readable.

use super::check::{Check, Topic, some};
use super::{Doctor, LIMIT};
use crate::domain::Code;
use crate::reconcile::sweep::{Period, window};
use crate::text::sentence;
use crate::trackers::{Listed, TrackerFault};

const LIST: Topic = Topic("timesheets", "Timesheets in Kimai");
const PROXY: &str =
    "Make the proxy in front of Kimai pass /api through unchanged and uncached, including headers.";
const LEFT_ALONE: &str = "Correct or delete them in Kimai. Until then they are not updated or deleted, and \
    their work logs are not synced.";

impl Doctor {
    /// The days that a scheduled sweep covers.
    pub(super) async fn timesheets(&self) -> Check {
        let period = Period::around(self.target.clock.today(), self.given.days);
        let filter = window(period);
        match tokio::time::timeout(LIMIT, self.target.timesheets.timesheets(&filter)).await {
            Ok(listed) => of_list(listed, &period.to_string()),
            Err(_) => LIST.unknown(
                format!("The list of {period} took longer than {} s.", LIMIT.as_secs()),
                "Look at the report of a sweep instead: it lists what cannot be read.",
            ),
        }
    }
}

fn of_list(listed: Result<Listed, TrackerFault>, period: &str) -> Check {
    let Listed { timesheets, gaps, odd } = match listed {
        Ok(listed) => listed,
        Err(fault) => return of_fault(&fault),
    };
    if let Some(gap) = gaps.first() {
        return of_fault(&gap.fault);
    }
    if odd.count > 0 {
        let named: Vec<String> = odd.named.iter().map(|row| row.why.clone()).collect();
        let all = timesheets.len() + odd.count;
        let says = format!("{} of {all} rows from {period} cannot be read: {}.", odd.count, some(&named));
        return LIST.warning(says, LEFT_ALONE);
    }
    LIST.well(format!("All {} from {period} can be read.", timesheets.len()))
}

fn of_fault(fault: &TrackerFault) -> Check {
    let says = sentence(&fault.to_string());
    if fault.code == Code::KimaiListFaulty {
        return LIST.trouble(says, PROXY);
    }
    LIST.unknown(says, "Fix the checks of Kimai and the token first.")
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;
    use crate::trackers::kimai;
    use crate::trackers::{Fault, Gap, OddRow, Operation};

    #[test]
    fn what_a_list_lacks_is_counted_and_named() {
        let mut odd = crate::trackers::OddRows::default();
        odd.push(OddRow { id: None, why: "row with id -7: negative".to_owned() });
        let odd = Listed { odd, ..Listed::default() };
        let faulty = TrackerFault {
            code: Code::KimaiListFaulty,
            ..TrackerFault::new(kimai::NAME, Operation::Read, Fault::Permanent, "page 2 brings nothing new")
        };
        let gap = |fault: &TrackerFault| Listed {
            gaps: vec![Gap { above: None, below: None, fault: fault.clone() }],
            ..Listed::default()
        };
        let down = TrackerFault::cut(kimai::NAME, Operation::Read, true, "cut");
        let table = [
            (Ok(Listed::default()), Health::Well, "All 0 from September"),
            (Ok(odd), Health::Warning, "1 of 1 rows from September cannot be read: row with id -7"),
            (Ok(gap(&faulty)), Health::Trouble, "page 2 brings nothing new"),
            (Err(faulty), Health::Trouble, "unchanged and uncached"),
            (Ok(gap(&down)), Health::Unknown, "cut"),
            (Err(down), Health::Unknown, "Fix the checks of Kimai"),
        ];
        for (listed, verdict, words) in table {
            let check = of_list(listed, "September");
            assert_eq!(check.verdict, verdict, "{check}");
            assert!(check.to_string().contains(words), "{words:?} is not in {check}");
        }
    }
}
