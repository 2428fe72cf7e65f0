//! Reads the pages of a list of timesheets concurrently.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::tz::TimeZone;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};

use super::{Client, wall_clock};
use crate::settings::ListLimits;
use crate::trackers::EntryFilter;
use crate::trackers::Listed;
use crate::trackers::error::{Fault, Operation, TrackerFault};
use crate::trackers::kimai::listing::{Page, Reading, Then, list_fault};
use crate::trackers::kimai::model::TimesheetRow;

/// The largest page Kimai gives; it cuts greater numbers down silently.
pub(super) const PAGE_SIZE: usize = 500;
/// Pages asked for at a time.
const SIDE_BY_SIDE: usize = 4;
/// So many pages in a row that cannot be read are no matter of pages any more: Kimai is down.
const MOST_LOST: usize = 4;
/// The pauses before a page is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// The longest pause that Kimai may ask for in the middle of a list.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const TOTAL_PAGES: HeaderName = HeaderName::from_static("x-total-pages");
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

impl Client {
    /// All pages, once more if rows moved between pages while they were read.
    pub(super) async fn list(&self, filter: &EntryFilter) -> Result<Listed, TrackerFault> {
        let reading = self.read_pages(filter, Reading::default()).await?;
        if !reading.may_have_shifted() {
            return Ok(reading.end());
        }
        Ok(self.read_pages(filter, reading.again()).await?.end())
    }

    async fn read_pages(&self, filter: &EntryFilter, mut reading: Reading) -> Result<Reading, TrackerFault> {
        let first = self.page_with_patience(filter, 1).await?;
        let (mut pages, mut read, mut lost) = (expected(&first), 1, 0);
        if reading.add(first) == Then::End {
            return Ok(reading);
        }
        while read < pages {
            let numbers = read + 1..=pages;
            read = pages;
            let wanted = numbers.map(async |number| (number, self.page_with_patience(filter, number).await));
            let mut answers = stream::iter(wanted).buffered(SIDE_BY_SIDE);
            // How many pages there are is Kimai's word, or a proxy's: what ends the list is what comes.
            while let Some((number, answer)) = answers.next().await {
                match answer {
                    Ok(page) => {
                        pages = pages.max(expected(&page));
                        lost = 0;
                        if reading.add(page) == Then::End {
                            return Ok(reading);
                        }
                        self.bound(&reading, number)?;
                    }
                    // A page past the last one is 404, not an empty list.
                    Err(fault) if fault.fault == Fault::Gone => {
                        if reading.tells_totals() {
                            reading.gone();
                        }
                        return Ok(reading);
                    }
                    Err(fault) if matches!(fault.fault, Fault::Unauthorised | Fault::Limited(_)) => {
                        return Err(fault);
                    }
                    Err(fault) => {
                        lost += 1;
                        if lost == MOST_LOST {
                            return Err(fault);
                        }
                        reading.lost(fault);
                        self.bound(&reading, number)?;
                    }
                }
            }
        }
        Ok(reading)
    }

    /// Gives up on a list that is longer than any company's.
    fn bound(&self, reading: &Reading, page: usize) -> Result<(), TrackerFault> {
        let ListLimits { rows, pages } = self.limits;
        if reading.rows() <= rows && page <= pages {
            return Ok(());
        }
        Err(list_fault(format!(
            "its list of timesheets does not end: {} rows on {page} pages so far. If there really are as many, sweep \
             shorter periods or raise KIMAI_LIST_MAX_ROWS ({rows}) and KIMAI_LIST_MAX_PAGES ({pages}); else look at \
             proxies before Kimai",
            reading.rows()
        )))
    }

    /// A page; what passes by itself is tried again, soon.
    async fn page_with_patience(&self, filter: &EntryFilter, number: usize) -> Result<Page, TrackerFault> {
        for pause in PAUSES {
            match self.page(filter, number, PAGE_SIZE).await {
                Err(fault) if fault.fault == Fault::Transient => tokio::time::sleep(pause).await,
                Err(TrackerFault { fault: Fault::Limited(asked), .. }) if asked <= LONGEST_PAUSE => {
                    tokio::time::sleep(asked).await;
                }
                answer => return answer,
            }
        }
        self.page(filter, number, PAGE_SIZE).await
    }

    pub(super) async fn page(
        &self,
        filter: &EntryFilter,
        number: usize,
        size: usize,
    ) -> Result<Page, TrackerFault> {
        let user = filter.user.map_or_else(|| "all".to_owned(), |user| user.to_string());
        let mut query = vec![
            ("user", user),
            ("page", number.to_string()),
            ("size", size.to_string()),
            ("orderBy", "id".to_owned()),
            ("order", "ASC".to_owned()),
        ];
        let modified_after = filter.modified_after.map(|instant| TimeZone::UTC.to_datetime(instant));
        let bounds = [("begin", filter.begin), ("end", filter.end), ("modified_after", modified_after)];
        query.extend(bounds.into_iter().filter_map(|(name, bound)| Some((name, wall_clock(bound?)))));
        let request = self.request(Method::GET, "timesheets").query(&query);
        let answer = self.send(Operation::Read, request).await?;
        let rows = self.rows::<TimesheetRow>(&answer)?.map(|row| self.seen(row));
        let (pages, total) = (count(&answer.headers, &TOTAL_PAGES), count(&answer.headers, &TOTAL_COUNT));
        Ok(Page { number, rows, pages, total })
    }
}

/// How many pages there are, as far as `page` knows. Without the header a full page means that there may be more.
fn expected(page: &Page) -> usize {
    let full = page.rows.rows.len() + page.rows.odd.count >= PAGE_SIZE;
    page.pages.unwrap_or(page.number + usize::from(full))
}

fn count(headers: &HeaderMap, name: &HeaderName) -> Option<usize> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
