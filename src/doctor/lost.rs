//! Checks whether Kimai has lost timesheets.

use super::check::{Check, Topic};
use super::{Doctor, limited};
use crate::domain::Watermark;
use crate::domain::loss::Loss;
use crate::text::sentence;

const DATA: Topic = Topic("kimai-data", "Kimai's timesheets");

impl Doctor {
    pub(super) async fn lost_data(&self) -> Check {
        if let Some(loss) = self.target.ledger.loss() {
            return of_loss(&loss);
        }
        let Some(known) = self.target.ledger.high_water() else {
            return DATA.well("None is known yet.");
        };
        match limited(self.target.timesheets.newest()).await {
            Ok(newest) => of_newest(newest, known),
            Err(why) => DATA.unknown(sentence(&why), "Fix the checks of Kimai and the token first."),
        }
    }
}

fn of_loss(loss: &Loss) -> Check {
    DATA.trouble(
        format!(
            "Kimai has lost timesheets (kimai-lost-data): it assigned the ID {} to a new one, although IDs up \
             to {} were in use. No timesheets are created.",
            loss.reissued, loss.known
        ),
        "If the wrong backup was restored, stop the service and restore the right one. Otherwise do a dry run \
         of a sweep, read its findings, and confirm it with its key: each work log whose timesheet is lost gets \
         a new one.",
    )
}

/// A missing newest timesheet proves nothing; the next creation shows whether data was lost.
fn of_newest(newest: Option<Watermark>, known: Watermark) -> Check {
    let known = known.0;
    match newest {
        Some(Watermark(newest)) if newest >= known => DATA.well(format!("The newest one is {newest}.")),
        _ => DATA.well(format!(
            "{}, but {known} was known: either the newest ones were deleted, or Kimai was restored from an \
             older backup. The next creation shows which.",
            newest.map_or_else(
                || "There is none".to_owned(),
                |newest| format!("The newest one is {}", newest.0)
            )
        )),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Health;
    use super::*;
    use crate::domain::EntryId;

    #[test]
    fn a_loss_is_trouble_and_a_newest_timesheet_that_went_is_none() {
        let loss =
            Loss { since: Timestamp::UNIX_EPOCH, reissued: EntryId::number(41), known: EntryId::number(50) };
        let check = of_loss(&loss);
        assert_eq!(check.verdict, Health::Trouble);
        assert!(check.says.contains("kimai-lost-data") && check.says.contains("41"), "{check}");
        for newest in [Some(50), Some(60), Some(49), None] {
            let newest = newest.map(Watermark);
            let check = of_newest(newest, Watermark(50));
            assert_eq!(check.verdict, Health::Well);
            assert_eq!(
                check.says.contains("50 was known"),
                newest.is_none_or(|newest| newest.0 < 50),
                "{check}"
            );
        }
    }
}
