//! What the name of a log group, stream or file says of a Glue log: which run, and who in it wrote.

use crate::decode::Context;

/// Who wrote a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub source: Option<&'static str>,
    pub executor: Option<String>,
    pub run: Option<String>,
}

impl Place {
    /// From the log group and stream when an envelope names them, else from the path.
    pub fn of(path: &str, context: Option<&Context>) -> Place {
        let group = context.and_then(|context| context.log_group.as_deref());
        let stream = context.and_then(|context| context.log_stream.as_deref());
        let name = stream.unwrap_or(path);
        let group = group.unwrap_or(path);
        let Some((run, rest)) = run(name) else {
            return Place { source: by_group(group), ..Place::default() };
        };
        let rest = rest.split(['/', '.']).next().unwrap_or_default();
        let rest = rest.strip_suffix("log").unwrap_or(rest);
        let (source, executor) = match rest {
            "" => (by_group(group), None),
            "-driver" => (Some("driver"), None),
            "-progress-bar" => (Some("progress"), None),
            rest if rest.starts_with("-job-insights") => (Some("insights"), None),
            rest => {
                let name = rest.strip_prefix(|_: char| true).unwrap_or(rest);
                (Some("executor"), Some(name.to_owned()))
            }
        };
        Place { source, executor, run: Some(run.to_owned()) }
    }
}

/// Whether an envelope's log group or stream is one of a Glue job, whatever its events say.
pub fn is_of_a_job(context: &Context) -> bool {
    context.log_group.as_deref().is_some_and(|group| group.starts_with("/aws-glue/"))
        || context.log_stream.as_deref().is_some_and(|stream| run(stream).is_some_and(|_| stream.starts_with("jr_")))
}

/// The streams of a run itself are the driver's; those of the output group are its standard output.
fn by_group(group: &str) -> Option<&'static str> {
    if group.contains("/output") {
        Some("output")
    } else if group.contains("/error") || group.contains("/logs-v2") {
        Some("driver")
    } else {
        None
    }
}

/// `jr_` and 64 hex digits, with the attempt, and what follows it.
fn run(name: &str) -> Option<(&str, &str)> {
    let start = name.find("jr_")?;
    let digits = name[start + 3..].bytes().take_while(u8::is_ascii_hexdigit).count();
    if digits < 32 {
        return None;
    }
    let mut end = start + 3 + digits;
    if let Some(attempt) = name[end..].strip_prefix("_attempt_") {
        end += "_attempt_".len() + attempt.bytes().take_while(u8::is_ascii_digit).count();
    }
    Some((&name[start..end], &name[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(group: &str, stream: &str, source: Option<&str>, executor: Option<&str>, run: &str) {
        let id = format!("jr_{}", "0a".repeat(32));
        let context = Context {
            log_group: Some(group.into()),
            log_stream: Some(stream.replace("RUN", &id)),
            ..Context::default()
        };
        let place = Place::of("x", Some(&context));
        assert_eq!(place.source, source, "{stream}");
        assert_eq!(place.executor.as_deref(), executor, "{stream}");
        assert_eq!(place.run, Some(run.replace("RUN", &id)), "{stream}");
    }

    #[test]
    fn streams_say_who_wrote() {
        check("/aws-glue/jobs/logs-v2", "RUN-driver", Some("driver"), None, "RUN");
        check("/aws-glue/jobs/logs-v2", "RUN-3", Some("executor"), Some("3"), "RUN");
        check("/aws-glue/jobs/logs-v2", "RUN-progress-bar", Some("progress"), None, "RUN");
        check("/aws-glue/jobs/error", "RUN", Some("driver"), None, "RUN");
        check("/aws-glue/jobs/error", "RUN_g-77", Some("executor"), Some("g-77"), "RUN");
        check("/aws-glue/jobs/output", "RUN_attempt_2", Some("output"), None, "RUN_attempt_2");
        check("/aws-glue/jobs/error", "RUN-job-insights-rca-driver", Some("insights"), None, "RUN");
        check("/aws-glue/jobs/error", "RUNé3", Some("executor"), Some("3"), "RUN");
    }

    #[test]
    fn a_path_says_it_too() {
        let id = format!("jr_{}", "0a".repeat(32));
        let place = Place::of(&format!("logs/aws-glue/jobs/error/{id}.log"), None);
        assert_eq!((place.source, place.run), (Some("driver"), Some(id)));
        assert_eq!(Place::of("some/file.log", None), Place::default());
    }
}
