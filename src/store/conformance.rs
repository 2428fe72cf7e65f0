//! The laws that every store keeps, as functions over a way to open it. A store makes a test of each with
//! [`suite`](crate::store::conformance::suite).
//!
//! Time is paused in these tests, so a store under test does all its work when it is called.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Queue;
use super::jobs::JobRecords;
use super::queue::LEASE;
use super::references::ChangedReferences;
use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::store::ledger::Ledger;

pub(crate) mod history;
pub(crate) mod jobs;
pub(crate) mod ledger;
pub(crate) mod queue;
pub(crate) mod rechecks;
pub(crate) mod references;

/// Where a store keeps what it keeps, to be opened again and again.
pub(crate) trait Home: Sized {
    /// An empty one.
    fn fresh() -> Self;

    /// Opens it, as a start of the service does. Whoever had it open before has dropped that.
    fn open(&self, options: &Options) -> Open;

    /// What a `kill -9` would leave behind now, whoever has it open. It is there until this is dropped.
    fn killed(&self) -> Self;
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) clock: Clock,
    /// How long a run may take.
    pub(crate) lease: Duration,
    /// The pauses before rechecks.
    pub(crate) rechecks: Vec<Duration>,
}

impl Options {
    /// With a clock that starts at this second.
    pub(crate) fn at(second: i64) -> Self {
        let clock = Clock::starting_at(at(second), TimeZone::UTC);
        Self { clock, lease: LEASE, rechecks: Vec::new() }
    }
}

/// A store that is open.
pub(crate) struct Open {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) jobs: Arc<dyn JobRecords>,
    pub(crate) references: Arc<dyn ChangedReferences>,
    /// Makes writes fail, as a full disk does, or lets them succeed again.
    pub(crate) fail: Box<dyn Fn(bool) + Send + Sync>,
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn work_log(number: u8) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

/// Makes a test of each law for the store that `$home` opens.
macro_rules! suite {
    ($home:ty) => {
        $crate::store::conformance::tests! { $home:
            queue {
                a_worker_that_waits_is_woken_by_an_earlier_entry
                a_worker_that_waits_gets_what_another_one_has_kept_too_long
                the_last_twenty_runs_are_remembered_and_outlive_the_entry
                every_code_outlives_the_process
                entries_outlive_a_kill_as_they_were
                what_could_not_be_saved_is_run_again_and_nothing_is_given_out_meanwhile
                what_runs_during_a_kill_is_due_again
                permission_to_overwrite_outlives_the_process_and_is_used_once
                pages_go_by_iri_and_filter
                throughput_counts_runs_by_their_slot_and_measures_from_the_change
                a_change_goes_before_a_sweep_after_a_restart_too
                the_last_delta_is_known_to_the_minute
            }
            rechecks {
                a_look_comes_after_each_pause_and_over_a_restart
                what_has_changed_is_queued_with_what_the_delta_removed
                a_look_that_was_replaced_ends_nothing
                what_will_run_anyway_is_not_looked_at
                only_what_may_show_late_is_looked_at
                a_start_begins_all_looks_anew_or_drops_them
            }
            ledger {
                a_creation_closes_its_intent_and_waits_for_its_link
                no_timesheet_belongs_to_two_work_logs
                an_open_intent_is_not_written_over
                the_largest_id_and_an_object_id_are_ids_like_others
                a_removal_is_recalled_until_the_queue_has_completed_it
                what_is_adopted_is_nobodys_and_nothing_is_created_beside_it
                of_those_who_share_a_timesheet_one_keeps_it
                what_kimai_counts_and_on_which_day_is_remembered_and_summed_up
                what_is_found_counts_as_pushed_only_if_it_is_the_same
                a_change_without_an_answer_is_remembered_until_it_is_known
                what_lists_show_is_saved_with_the_next_intent
                a_loss_drops_what_is_no_longer_true_and_lasts_until_links_are_rebuilt
                what_cannot_be_saved_changes_nothing_and_a_kill_loses_nothing
            }
            jobs {
                records_are_kept_as_they_were_the_oldest_first
                records_are_paged_from_the_newest_on
                findings_are_paged_filtered_and_replaced
                what_is_held_back_is_counted_and_waits_for_confirmation
                a_removed_job_leaves_no_findings
                queued_work_logs_are_kept_until_they_are_removed
            }
            references {
                what_is_noted_waits_in_order_until_it_is_removed
                what_is_noted_again_meanwhile_stays
                more_than_may_wait_are_refused_whole
            }
        }

        mod history {
            #[test]
            fn every_history_follows_the_model_through_kills() {
                $crate::store::conformance::history::every_history_follows_the_model_through_kills::<$home>();
            }
        }
    };
}

macro_rules! tests {
    ($home:ty: $($topic:ident { $($law:ident)+ })+) => {
        $(mod $topic {
            use $crate::store::conformance::{Home, $topic};

            $(#[tokio::test(start_paused = true)]
            async fn $law() {
                $topic::$law(<$home>::fresh()).await;
            })+
        })+
    };
}

pub(crate) use {suite, tests};
