//! Events that come into the shards of a stream as time goes by: so many a second in each phase, the same on every machine. None of
//! them is kept; what a shard is asked for is made then.

use std::ops::Range;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use weir::time::Timestamp;

use crate::corpus;
use crate::server::lock;
use crate::stream::{ANSWER_BYTES_MAX, Page, Shards};

/// The rule that finds marked events, and its text.
pub const RULE: &str = "cloudtrail/marked";
pub const RULE_TEXT: &str = r#"-- title    = "An event of the bench was marked"
-- severity = "low"
-- tags     = ["attack.discovery"]
-- remedy   = "Nothing: a bench made it."
-- key      = ["account", "requestParameters ->> 'mark'"]
SELECT eventTime, requestParameters ->> 'mark' AS mark
FROM cloudtrail
WHERE eventName = 'MarkedEvent'
  AND requestParameters ->> 'mark' IS NOT NULL
"#;

/// What is different in each event has this much room in the text.
const ID_CHARS: usize = 36;
const TIME_CHARS: usize = 20;
const MARK_CHARS: usize = 12;
/// Events that are told over and over, each time with another id and time.
const KINDS: usize = 2000;
/// Records of one answer, as AWS bounds them.
const RECORDS_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug)]
pub struct Phase {
    pub seconds: f64,
    /// Events a second.
    pub rate: f64,
}

pub struct Load {
    shards: usize,
    phases: Vec<Phase>,
    /// Every so many events one is marked.
    mark_every: u64,
    /// How often each event is told in another form, and the marked one.
    kinds: Vec<Form>,
    marked: Form,
    begun: OnceLock<(Instant, Timestamp)>,
    /// How many events each shard has given.
    given: Mutex<Vec<u64>>,
    /// When each mark was given, by its number.
    marks: Mutex<Vec<Option<Instant>>>,
}

/// The text of an event, and where it differs each time.
struct Form {
    text: Vec<u8>,
    id: usize,
    time: usize,
    mark: Option<usize>,
}

impl Form {
    fn of(line: &str) -> Form {
        let behind = |key: &str| line.find(key).map(|start| start + key.len());
        let time = behind("\"eventTime\":\"").expect("an event has a time");
        let id = behind("\"eventID\":\"").expect("an event has an id");
        Form { text: line.as_bytes().to_vec(), id, time, mark: behind("\"mark\":\"") }
    }

    fn marked() -> Form {
        let (id, mark) = ("-".repeat(ID_CHARS), "0".repeat(MARK_CHARS));
        Form::of(&format!(
            r#"{{"eventVersion":"1.09","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/bench","accountId":"111122223333"}},"eventTime":"2024-08-01T00:00:00Z","eventSource":"bench.amazonaws.com","eventName":"MarkedEvent","awsRegion":"eu-west-1","sourceIPAddress":"10.0.0.1","userAgent":"bench","requestParameters":{{"mark":"{mark}"}},"responseElements":null,"requestID":"r","eventID":"{id}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}}"#
        ))
    }

    /// Makes it the event of a number in place.
    fn tell(&self, number: u64, time: &str, mark: u64, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.text);
        let mut put = |at: usize, text: &str, room: Range<usize>| {
            assert!(room.contains(&text.len()), "{text} has no room");
            into[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(self.id, &format!("{:08x}-be0c-4000-8000-{number:012x}", self.id), ID_CHARS..ID_CHARS + 1);
        put(self.time, time, TIME_CHARS..TIME_CHARS + 1);
        if let Some(at) = self.mark {
            put(at, &format!("{mark:012}"), MARK_CHARS..MARK_CHARS + 1);
        }
    }
}

impl Load {
    /// It begins when the first records are asked for.
    pub fn new(shards: usize, phases: Vec<Phase>, mark_every: u64, seed: u64) -> Load {
        let lines = String::from_utf8(corpus::cloudtrail_lines(seed, KINDS)).expect("it was made of text");
        let load = Load {
            shards,
            phases,
            mark_every,
            kinds: lines.lines().map(Form::of).collect(),
            marked: Form::marked(),
            begun: OnceLock::new(),
            given: Mutex::new(vec![0; shards]),
            marks: Mutex::default(),
        };
        lock(&load.marks).resize(load.marks_in_all() as usize, None);
        load
    }

    /// Events of all phases.
    pub fn events(&self) -> u64 {
        self.phases.iter().map(|phase| (phase.seconds * phase.rate) as u64).sum()
    }

    pub fn marks_in_all(&self) -> u64 {
        self.events().div_ceil(self.mark_every)
    }

    /// Bytes of an event, on average.
    pub fn event_bytes(&self) -> usize {
        self.kinds.iter().map(|form| form.text.len()).sum::<usize>() / self.kinds.len()
    }

    pub fn seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }

    /// Seconds since it began; `None` before.
    pub fn since(&self) -> Option<f64> {
        self.begun.get().map(|(begun, _)| begun.elapsed().as_secs_f64())
    }

    /// How many events there are, so long after it began.
    pub fn available(&self, since: f64) -> u64 {
        let (mut left, mut events) = (since, 0);
        for phase in &self.phases {
            events += (left.clamp(0.0, phase.seconds) * phase.rate) as u64;
            left -= phase.seconds;
        }
        events
    }

    /// How long after the beginning an event is there.
    fn arrival(&self, number: u64) -> f64 {
        let (mut left, mut since) = (number as f64, 0.0);
        for phase in &self.phases {
            let events = phase.seconds * phase.rate;
            if left < events {
                return since + left / phase.rate;
            }
            left -= events;
            since += phase.seconds;
        }
        since
    }

    /// When an event was there.
    fn arrived(&self, number: u64) -> Instant {
        let (begun, _) = self.begun.get().expect("it has begun");
        *begun + Duration::from_secs_f64(self.arrival(number))
    }

    /// How many events were given, and how many seconds the shard is behind that is most.
    pub fn given(&self) -> (u64, f64) {
        let Some(since) = self.since() else { return (0, 0.0) };
        let (available, given) = (self.available(since), lock(&self.given).clone());
        let behind = given.iter().enumerate().map(|(shard, given)| {
            let next = self.number(shard, *given);
            if next < available { since - self.arrival(next) } else { 0.0 }
        });
        (given.iter().sum(), behind.fold(0.0, f64::max))
    }

    /// When a mark was there, and when it was given.
    pub fn mark(&self, mark: u64) -> (Instant, Instant) {
        let given = lock(&self.marks)[mark as usize].expect("what was found was given");
        (self.arrived(mark * self.mark_every), given)
    }

    /// Shards take events in turn.
    fn number(&self, shard: usize, place: u64) -> u64 {
        place * self.shards as u64 + shard as u64
    }
}

impl Shards for Load {
    fn count(&self) -> usize {
        self.shards
    }

    fn page(&self, shard: usize, place: u64) -> Option<Bytes> {
        let (begun, wall) = *self.begun.get_or_init(|| (Instant::now(), Timestamp::now()));
        let (since, now) = (begun.elapsed().as_secs_f64(), Instant::now());
        let available = self.available(since);
        let numbers = (place..).map(|place| self.number(shard, place)).take_while(|number| *number < available);
        let mut page = Page::new(shard, place);
        let (mut event, mut second, mut time) = (Vec::new(), i64::MIN, String::new());
        let mut given = place;
        for number in numbers.take(RECORDS_MAX) {
            let arrival = wall.0 + (self.arrival(number) * 1e6) as i64;
            if arrival.div_euclid(1_000_000) != second {
                second = arrival.div_euclid(1_000_000);
                time = Timestamp(second * 1_000_000).to_string();
            }
            let mark = number / self.mark_every;
            let is_marked = number.is_multiple_of(self.mark_every);
            let form = if is_marked { &self.marked } else { &self.kinds[number as usize % self.kinds.len()] };
            form.tell(number, &time, mark, &mut event);
            if page.bytes + event.len() > ANSWER_BYTES_MAX {
                break;
            }
            page.push(&event, arrival as f64 / 1e6);
            if is_marked {
                lock(&self.marks)[mark as usize].get_or_insert(now);
            }
            given += 1;
        }
        if page.is_empty() {
            return None;
        }
        let next = self.number(shard, given);
        let behind = if next < available { since - self.arrival(next) } else { 0.0 };
        // who asks again, for what was not handed on, gets it again
        let mut all = lock(&self.given);
        all[shard] = all[shard].max(given);
        Some(page.end((behind * 1000.0) as u64).into())
    }
}
