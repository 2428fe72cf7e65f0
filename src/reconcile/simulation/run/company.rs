//! The data that exists before a history begins.

use super::super::fixtures::{self, Values};
use super::super::workload::{self, Step};
use super::{Event, Sim};

impl Sim {
    /// What is there before: a work log that nobody touches, as in any company that works; and hours that
    /// have nothing to do with the service, a year ago and exported ones of these days.
    pub(super) fn found_company(&mut self) {
        let stable = Values { day: 0, duration: 0, task: 0, person: 0 };
        let step = Step::Begin(stable, fixtures::Field::ALL.to_vec());
        self.at(0, Event::Step { work_log: workload::uri(99), step, heard: None });
        let values = Values { day: -365, duration: 0, task: 0, person: 0 };
        let mut state = self.world.state();
        for (values, exported) in [(values, false), (Values { day: 1, ..values }, true)] {
            let mut facts = crate::domain::work_log::Facts::default();
            facts.types.insert(crate::domain::work_log::VEVENT.to_owned());
            for field in fixtures::Field::ALL {
                values.write(field, &mut facts);
            }
            let fixtures::Due::Sheet(wanted) = fixtures::due(&facts) else {
                unreachable!("it can be booked")
            };
            state.book_by_hand(&wanted, exported);
        }
    }
}
