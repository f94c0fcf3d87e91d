//! Where and when somebody was seen → how far apart that is, and how fast the journey was: `great_circle_km`, `sighting`, `journey` and
//! `journey_km_per_hour`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::spans::times;
use super::texts::is_text;
use crate::time::MICROS_PER_SECOND;

/// Mean radius of the Earth (IUGG). Taken as a sphere, distances are wrong by half a percent at most.
const EARTH_KM: f64 = 6_371.008_8;
/// Seconds since 1970 of the end of the year 9999. A sighting's text counts down to it, so that the latest sorts first and is among
/// the smallest, which `sample` keeps.
const FOREVER: i64 = 253_402_300_799;

pub fn functions() -> [Arc<ScalarUDF>; 4] {
    [Function::GreatCircle, Function::Sighting, Function::Journey, Function::Speed].map(|function| {
        let signature = Signature::any(function.arguments(), Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Travel { function, signature }))
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Travel {
    function: Function,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Function {
    /// Kilometers between two places.
    GreatCircle,
    /// A place and a time as one text.
    Sighting,
    /// The fastest journey to the latest of some sightings, for people.
    Journey,
    /// Its speed.
    Speed,
}

impl Function {
    fn arguments(self) -> usize {
        match self {
            Function::GreatCircle => 4,
            Function::Sighting => 3,
            Function::Journey | Function::Speed => 2,
        }
    }
}

impl ScalarUDFImpl for Travel {
    fn name(&self) -> &str {
        match self.function {
            Function::GreatCircle => "great_circle_km",
            Function::Sighting => "sighting",
            Function::Journey => "journey",
            Function::Speed => "journey_km_per_hour",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let is_number = |kind: &DataType| kind.is_numeric() || kind.is_null() || is_text(kind);
        match (self.function, types) {
            (Function::GreatCircle, places) if places.iter().all(is_number) => Ok(DataType::Float64),
            (Function::GreatCircle, _) => {
                plan_err!("great_circle_km takes latitude and longitude of one place and of another, in degrees")
            }
            (Function::Sighting, [DataType::Timestamp(..) | DataType::Int64, place @ ..])
                if place.iter().all(is_number) =>
            {
                Ok(DataType::Utf8)
            }
            (Function::Sighting, _) => {
                plan_err!("sighting takes a time, or whole seconds since 1970, and latitude and longitude in degrees")
            }
            (Function::Journey | Function::Speed, [DataType::List(item), least])
                if is_text(item.data_type()) && least.is_numeric() =>
            {
                Ok(if self.function == Function::Speed { DataType::Float64 } else { DataType::Utf8 })
            }
            (Function::Journey | Function::Speed, _) => {
                plan_err!("{} takes sample(sighting(...)) and the least distance in km", self.name())
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_one = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let answer: ArrayRef = match self.function {
            Function::GreatCircle => {
                let [from, to] = [places(&columns[..2])?, places(&columns[2..])?];
                let pairs = from.into_iter().zip(to);
                Arc::new(pairs.map(|(from, to)| Some(from?.km_to(to?))).collect::<Float64Array>())
            }
            Function::Sighting => {
                let (times, places) = (times(&columns[0])?, places(&columns[1..])?);
                let seen = |(time, place): (Option<i64>, Option<Place>)| {
                    Some(Sighting { seconds: time?.div_euclid(MICROS_PER_SECOND), place: place? }.to_string())
                };
                Arc::new(times.iter().zip(places).map(seen).collect::<StringArray>())
            }
            Function::Journey => {
                Arc::new(journeys(&columns)?.into_iter().map(|one| Some(one?.to_string())).collect::<StringArray>())
            }
            Function::Speed => {
                Arc::new(journeys(&columns)?.into_iter().map(|one| Some(one?.km_per_hour())).collect::<Float64Array>())
            }
        };
        Ok(match is_one {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?),
            false => ColumnarValue::Array(answer),
        })
    }
}

/// Of latitudes and longitudes, as numbers or as texts of numbers; `None` of what is no place.
fn places(columns: &[ArrayRef]) -> Result<Vec<Option<Place>>> {
    let [latitude, longitude] = [cast(&columns[0], &DataType::Float64)?, cast(&columns[1], &DataType::Float64)?];
    let pairs = latitude.as_primitive::<Float64Type>().iter().zip(longitude.as_primitive::<Float64Type>());
    Ok(pairs.map(|(latitude, longitude)| Place::new(latitude?, longitude?)).collect())
}

fn journeys(columns: &[ArrayRef]) -> Result<Vec<Option<Journey>>> {
    let (lists, least) = (columns[0].as_list::<i32>(), cast(&columns[1], &DataType::Float64)?);
    let least = least.as_primitive::<Float64Type>();
    let texts = cast(lists.values(), &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let one = |row: usize| {
        let ends = lists.value_offsets();
        let range = ends[row] as usize..ends[row + 1] as usize;
        let seen = range.filter(|place| texts.is_valid(*place)).filter_map(|place| Sighting::read(texts.value(place)));
        let is_asked = lists.is_valid(row) && least.is_valid(row);
        is_asked.then(|| Journey::fastest(&seen.collect::<Vec<_>>(), least.value(row))).flatten()
    };
    Ok((0..lists.len()).map(one).collect())
}

/// In degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    latitude: f64,
    longitude: f64,
}

impl Place {
    /// `None` of what lies on no globe.
    fn new(latitude: f64, longitude: f64) -> Option<Place> {
        (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some(Place { latitude, longitude })
    }

    /// The haversine formula: `2 r asin(sqrt(sin²(Δlat/2) + cos(lat1) cos(lat2) sin²(Δlon/2)))`.
    fn km_to(self, other: Place) -> f64 {
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let cosines = self.latitude.to_radians().cos() * other.latitude.to_radians().cos();
        let square = half(self.latitude, other.latitude) + cosines * half(self.longitude, other.longitude);
        // of two ends of a diameter rounding may come to more than 1
        2.0 * EARTH_KM * square.min(1.0).sqrt().asin()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.latitude, self.longitude)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sighting {
    /// Since 1970.
    seconds: i64,
    place: Place,
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = FOREVER.saturating_sub(self.seconds).max(0);
        write!(f, "{left:012} {} {}", self.place.latitude, self.place.longitude)
    }
}

impl Sighting {
    fn read(text: &str) -> Option<Sighting> {
        let mut parts = text.split(' ');
        let (left, latitude, longitude) = (parts.next()?, parts.next()?, parts.next()?);
        let place = Place::new(latitude.parse().ok()?, longitude.parse().ok()?)?;
        Some(Sighting { seconds: FOREVER.checked_sub(left.parse().ok()?)?, place })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Journey {
    from: Sighting,
    to: Sighting,
    km: f64,
}

impl Journey {
    /// The fastest to a place of the latest second from anywhere farther away than so many kilometers.
    fn fastest(seen: &[Sighting], km_more_than: f64) -> Option<Journey> {
        let latest = seen.iter().map(|one| one.seconds).max()?;
        let arrived = seen.iter().filter(|one| one.seconds == latest);
        let all = arrived
            .flat_map(|to| seen.iter().map(|from| Journey { from: *from, to: *to, km: from.place.km_to(to.place) }));
        let far = all.filter(|journey| journey.km > km_more_than);
        // of two that are as fast, the first: sightings come in the order of their texts
        far.reduce(|best, other| if other.km_per_hour() > best.km_per_hour() { other } else { best })
    }

    /// Times are whole seconds: less than one is taken for one.
    fn seconds(&self) -> i64 {
        (self.to.seconds - self.from.seconds).max(1)
    }

    fn km_per_hour(&self) -> f64 {
        self.km * 3600.0 / self.seconds() as f64
    }
}

impl fmt::Display for Journey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let took = match (hours, minutes) {
            (0, 0) => format!("{seconds} s"),
            (0, _) => format!("{minutes} min"),
            _ => format!("{hours} h {minutes} min"),
        };
        write!(f, "{:.0} km in {took}, from {} to {}", self.km, self.from.place, self.to.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Place = Place { latitude: 52.52, longitude: 13.4 };
    const RECIFE: Place = Place { latitude: -8.05, longitude: -34.9 };
    const OSAKA: Place = Place { latitude: 34.69, longitude: 135.5 };

    #[test]
    fn distances_are_those_of_a_sphere() {
        let check = |from: Place, to: Place, expected: f64| {
            assert!((from.km_to(to) - expected).abs() < 0.01, "{} is not {expected}", from.km_to(to));
            assert_eq!(from.km_to(to), to.km_to(from));
        };
        let place = |latitude, longitude| Place::new(latitude, longitude).unwrap();
        check(BERLIN, BERLIN, 0.0);
        // a degree is a 360th of the circumference, 40,030.23 km
        check(place(0.0, 0.0), place(0.0, 1.0), 111.195);
        check(place(10.0, 7.0), place(11.0, 7.0), 111.195);
        check(place(0.0, 179.5), place(0.0, -179.5), 111.195);
        check(place(90.0, 0.0), place(-90.0, 120.0), 20_015.114);
        check(place(45.0, 10.0), place(-45.0, -170.0), 20_015.114);
        assert_eq!((Place::new(90.5, 0.0), Place::new(0.0, -180.5), Place::new(f64::NAN, 0.0)), (None, None, None));
    }

    #[test]
    fn the_latest_sighting_sorts_first_and_is_read_back() {
        let seen = |seconds, place| Sighting { seconds, place };
        let all = [seen(1_772_445_600, BERLIN), seen(1_772_445_599, RECIFE), seen(0, OSAKA), seen(-5, OSAKA)];
        let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts[0], "251629855199 52.52 13.4");
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts.iter().map(|text| Sighting::read(text).unwrap()).collect::<Vec<_>>(), all);
        for text in ["", "1 2", "x 1 2", "000000000001 91 0"] {
            assert_eq!(Sighting::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_fastest_journey_ends_at_the_latest_sighting() {
        let seen = |minute: i64, place| Sighting { seconds: minute * 60, place };
        let told = |seen: &[Sighting]| Journey::fastest(seen, 500.0).map(|journey| journey.to_string());
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[seen(0, BERLIN), seen(9, BERLIN)]), None);
        let both = [seen(102, RECIFE), seen(60, BERLIN), seen(0, BERLIN)];
        assert_eq!(told(&both).as_deref(), Some("8135 km in 42 min, from 52.52, 13.4 to -8.05, -34.9"));
        // what was between others is told of the row at which it was the latest
        let later = [seen(300, BERLIN), seen(299, BERLIN), seen(102, RECIFE), seen(60, BERLIN)];
        assert_eq!(told(&later).as_deref(), Some("8135 km in 3 h 18 min, from -8.05, -34.9 to 52.52, 13.4"));
        let at_once = [seen(5, BERLIN), seen(5, OSAKA)];
        assert!(told(&at_once).unwrap().starts_with("8817 km in 1 s, "), "{:?}", told(&at_once));
        assert_eq!(Journey::fastest(&both, 8_200.0), None, "near enough");
    }
}
