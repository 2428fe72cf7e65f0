//! Which systems a run proves to be reachable.

use crate::reconcile::breaker::Neighbour;
use crate::reconcile::effect::Reconciled;
use crate::reconcile::retry::{Failure, Outage};

/// The systems that answered a run before it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    pub(super) triplestore: bool,
    /// Kimai did what it was asked.
    pub(super) kimai: bool,
}

/// The systems that a run proves to be reachable, however it ended.
pub(super) fn reached(answered: Reached, result: &Result<Reconciled, Failure>) -> Vec<Neighbour> {
    let failure = result.as_ref().err();
    let whose = failure.and_then(Failure::neighbour);
    let refused =
        |neighbour| whose == Some(neighbour) && failure.is_some_and(|failure| failure.outage() == Outage::No);
    let mut reached = Vec::new();
    // A link that could not be written says more than the response before it.
    if refused(Neighbour::Triplestore) || (answered.triplestore && whose != Some(Neighbour::Triplestore)) {
        reached.push(Neighbour::Triplestore);
    }
    let done = answered.kimai && whose != Some(Neighbour::Kimai);
    if done
        || refused(Neighbour::Kimai)
        || result.as_ref().is_ok_and(|reconciled| reconciled.effect.reached_kimai())
    {
        reached.push(Neighbour::Kimai);
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;
    use crate::domain::{EntryId, WorkLogUri};
    use crate::reconcile::breaker::PROBE_EVERY;
    use crate::reconcile::effect::Effect;
    use crate::store::ledger::LedgerFault;
    use crate::trackers::kimai;
    use crate::trackers::{Fault, Operation, TrackerFault};
    use crate::work_logs::SourceFault;

    #[test]
    fn a_run_shows_only_whom_it_reached() {
        use Neighbour::{Kimai, Triplestore};
        let kimai =
            |fault| Failure::Kimai(TrackerFault::new(kimai::NAME, Operation::Update, fault, "said so"));
        let claimed = |id| {
            let other = WorkLogUri::parse("http://x/work-logs/1").unwrap();
            LedgerFault::Claimed { id: EntryId::number(id), other }
        };
        let table = [
            (true, false, Ok(Reconciled::of(Effect::Updated, &[])), vec![Triplestore, Kimai]),
            (true, false, Ok(Reconciled::of(Effect::Unchanged, &[])), vec![Triplestore]),
            (true, false, Err(Failure::Blocked(vec![])), vec![Triplestore]),
            (true, false, Err(kimai(Fault::Transient)), vec![Triplestore]),
            (true, false, Err(kimai(Fault::Permanent)), vec![Triplestore, Kimai]),
            // While it searched for a lost creation, it has not queried the triplestore yet.
            (false, false, Err(kimai(Fault::Permanent)), vec![Kimai]),
            (false, false, Err(Failure::Unsure(PROBE_EVERY)), vec![]),
            (false, false, Err(Failure::Broken("a panic".into())), vec![]),
            (
                false,
                false,
                Err(SourceFault::Refused { said: "403".into(), code: Code::TriplestoreRefused }.into()),
                vec![Triplestore],
            ),
            (false, false, Err(SourceFault::Transient("down".into()).into()), vec![]),
            (true, false, Err(SourceFault::Transient("the link was not taken".into()).into()), vec![]),
            // Kimai is reachable, whatever followed its response.
            (true, true, Err(SourceFault::Transient("the link was not taken".into()).into()), vec![Kimai]),
            (true, true, Err(claimed(9).into()), vec![Triplestore, Kimai]),
            (true, false, Err(claimed(9).into()), vec![Triplestore]),
        ];
        for (triplestore, kimai, result, wanted) in table {
            assert_eq!(
                reached(Reached { triplestore, kimai }, &result),
                wanted,
                "{triplestore} {kimai} {result:?}"
            );
        }
    }
}
