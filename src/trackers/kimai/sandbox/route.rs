//! Which path and method means what.

use jiff::Timestamp;
use serde_json::json;

use super::answer::Answer;
use super::auth::{self, Who};
use super::catalogue::{self, Kind};
use super::request::Request;
use super::state::State;
use super::timesheets::{self, Action};
use super::{colours, forms, teams};

/// The paths below `/api` that the sandbox knows.
#[derive(Debug, Clone, Copy)]
enum Route {
    Ping,
    Version,
    Plugins,
    TimesheetConfig,
    Colours,
    Users,
    Me,
    User(u64),
    Catalogue(Kind),
    Entity(Kind, u64),
    Tags,
    FindTags,
    Teams,
    Team(u64),
    TeamKeeps(u64, Kind, u64),
    Timesheets,
    Recent,
    Active,
    Timesheet(u64),
    Act(u64, Action),
}

impl Route {
    fn find(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/api/")?.split('/').collect();
        Some(match parts.as_slice() {
            ["ping"] => Self::Ping,
            ["version"] => Self::Version,
            ["plugins"] => Self::Plugins,
            ["config", "timesheet"] => Self::TimesheetConfig,
            ["config", "colors"] => Self::Colours,
            ["users"] => Self::Users,
            ["users", "me"] => Self::Me,
            ["users", id] => Self::User(number(id)?),
            ["tags"] => Self::Tags,
            ["tags", "find"] => Self::FindTags,
            ["teams"] => Self::Teams,
            ["teams", id] => Self::Team(number(id)?),
            ["teams", id, of, kept] => Self::TeamKeeps(number(id)?, kind(of)?, number(kept)?),
            ["timesheets"] => Self::Timesheets,
            ["timesheets", "recent"] => Self::Recent,
            ["timesheets", "active"] => Self::Active,
            ["timesheets", id] => Self::Timesheet(number(id)?),
            ["timesheets", id, act] => Self::Act(number(id)?, action(act)?),
            [of] => Self::Catalogue(kind(of)?),
            [of, id] => Self::Entity(kind(of)?, number(id)?),
            _ => return None,
        })
    }

    /// The methods, as `Allow` lists them.
    fn methods(self) -> &'static str {
        match self {
            Self::Users | Self::Catalogue(_) | Self::Tags | Self::Timesheets => "GET, POST",
            Self::User(_) => "GET, PATCH",
            Self::Entity(..) | Self::Timesheet(_) => "GET, PATCH, DELETE",
            Self::Teams | Self::TeamKeeps(..) => "POST",
            Self::Team(_) => "DELETE",
            Self::Act(..) => "PATCH",
            _ => "GET",
        }
    }
}

fn kind(name: &str) -> Option<Kind> {
    [Kind::Customers, Kind::Projects, Kind::Activities].into_iter().find(|kind| kind.path() == name)
}

fn action(name: &str) -> Option<Action> {
    Some(match name {
        "stop" => Action::Stop,
        "restart" => Action::Restart,
        "duplicate" => Action::Duplicate,
        "export" => Action::Export,
        "meta" => Action::Meta,
        _ => return None,
    })
}

/// Ids in paths are digits only: anything else is an unknown path.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Answers a request. Kimai looks at path and method first, then at the body, then at the token.
pub(super) fn answer(state: &mut State, now: Timestamp, request: &Request) -> Answer {
    let method = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
    if let Some(path) =
        request.path.strip_suffix('/').filter(|path| method == "GET" && Route::find(path).is_some())
    {
        let moved = Answer::moved(&format!("http://{}{path}", request.host));
        return auth::identify(state, request).map_or_else(|refused| refused, |_| moved);
    }
    let Some(route) = Route::find(&request.path) else { return Answer::refused_early(404) };
    if method == "OPTIONS" {
        return Answer::preflight(request.origin.as_deref().unwrap_or("*"));
    }
    if !route.methods().split(", ").any(|known| known == method) {
        return Answer::refused_early(405).with("Allow", route.methods());
    }
    if !request.readable() {
        return Answer::refused_early(400);
    }
    match auth::identify(state, request).and_then(|who| serve(state, &who, now, route, method, request)) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn serve(
    state: &mut State,
    who: &Who,
    now: Timestamp,
    route: Route,
    method: &str,
    request: &Request,
) -> Result<Answer, Answer> {
    let query = request.query();
    if method == "GET" {
        return read(state, who, now, route, &query);
    }
    let input = request.form();
    match (method, route) {
        ("POST", Route::Users) => forms::create_user(state, who, &input),
        ("POST", Route::Catalogue(kind)) => forms::create(state, who, kind, &input),
        ("POST", Route::Tags) => teams::create_tag(state, &input),
        ("POST", Route::Teams) => teams::create(state, who, &input),
        ("POST", Route::TeamKeeps(team, kind, id)) => teams::keep(state, who, team, kind, id),
        ("POST", Route::Timesheets) => timesheets::create(state, who, now, &input, &query),
        ("PATCH", Route::User(id)) => forms::update_user(state, who, id, &input),
        ("PATCH", Route::Entity(kind, id)) => forms::update(state, who, kind, id, &input),
        ("PATCH", Route::Timesheet(id)) => timesheets::update(state, who, now, id, &input),
        ("PATCH", Route::Act(id, action)) => timesheets::act(state, who, now, id, action, &input),
        ("DELETE", Route::Entity(kind, id)) => forms::delete(state, who, kind, id),
        ("DELETE", Route::Team(id)) => teams::delete(state, who, id),
        ("DELETE", Route::Timesheet(id)) => timesheets::delete(state, who, id),
        _ => Err(Answer::refused(404)),
    }
}

fn read(
    state: &State,
    who: &Who,
    now: Timestamp,
    route: Route,
    query: &super::request::Query,
) -> Result<Answer, Answer> {
    match route {
        Route::Ping => Ok(Answer::ok(json!({"message": "pong"}))),
        Route::Version => Ok(Answer::ok(json!({
            "version": "2.65.0", "versionId": 26500, "copyright": "Kimai 2.65.0 by Kevin Papst.",
        }))),
        Route::Plugins => Ok(Answer::ok(json!([]))),
        Route::TimesheetConfig => Ok(Answer::ok(json!({
            "trackingMode": state.rules.tracking_mode, "defaultBeginTime": state.rules.default_begin,
            "activeEntriesHardLimit": 1, "isAllowFutureTimes": state.rules.allow_future_times,
            "isAllowOverlapping": state.rules.allow_overlapping,
        }))),
        Route::Colours => Ok(Answer::ok(json!(
            colours::COLOURS.iter().copied().collect::<std::collections::BTreeMap<_, _>>()
        ))),
        Route::Users => catalogue::users(state, who, query),
        Route::Me => catalogue::user(state, who, who.id),
        Route::User(id) => catalogue::user(state, who, id),
        Route::Catalogue(kind) => catalogue::list(state, who, now, kind, query),
        Route::Entity(kind, id) => catalogue::one(state, who, kind, id),
        Route::Tags => Ok(teams::tags(state)),
        Route::FindTags => Ok(teams::find_tags(state, query)),
        Route::Timesheets => timesheets::list(state, who, query),
        Route::Recent => timesheets::recent(state, who, query),
        Route::Active => Ok(timesheets::active(state, who)),
        Route::Timesheet(id) => timesheets::one(state, who, id, query),
        Route::Teams | Route::Team(_) | Route::TeamKeeps(..) | Route::Act(..) => Err(Answer::refused(404)),
    }
}
