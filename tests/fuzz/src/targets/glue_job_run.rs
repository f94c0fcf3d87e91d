//! Values inside the answer of GetJobRuns, with serde_json as the oracle.

use weir::decode::{Input, Options};

use super::{document, holds, pieces, read, says};

// each line of the input is the value of a text, a JSON and a number column
pub fn run(data: &[u8]) {
    let pieces = pieces(data);
    for (name, column) in
        [("ErrorMessage", "errormessage"), ("Arguments", "arguments"), ("ExecutionTime", "executiontime")]
    {
        let (text, values) = document(&pieces, "JobRuns", |number| {
            (format!(r#"{{"Id":"jr_{number}","JobName":"j","{name}":"#), r#","JobRunState":"FAILED"}"#.to_owned())
        });
        let read = read(Input::Bytes(text.into()), &Options::default());
        let ids = read.column("glue_job_run", "id");
        let texts = read.column("glue_job_run", column);
        if values.iter().any(Option::is_none) {
            // one document is one object here: what is damaged in it may cost all of it
            continue;
        }
        assert_eq!((ids.len(), read.rejects.len()), (values.len(), 0));
        for (number, value) in values.iter().flatten().enumerate() {
            assert_eq!(ids[number].as_deref(), Some(format!("jr_{number}").as_str()));
            let text = texts[number].as_deref();
            match name {
                "ErrorMessage" => assert!(says(text, value), "{text:?} for {value}"),
                "Arguments" => assert!(holds(text, value), "{text:?} for {value}"),
                // what is no whole number is kept in `unmapped`
                _ => assert!(value.as_i64().is_none() || says(text, value), "{text:?} for {value}"),
            }
        }
    }
}
