//! `map_concat(map, map, ...)`: the entries of maps, of each key that of the last map that has it, and `map_of_most(map, count)`: the entries
//! with the highest values.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, interleave, take};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::lambdas::map_of;
use super::maps::{maps, plain};
use super::typed::{comparable, in_short, key_and_value};
use crate::detect::athena::shape::map_type;

pub fn all() -> [ScalarUDF; 2] {
    [
        (What::Concat, Signature::variadic_any(Volatility::Immutable)),
        (What::Most, Signature::any(2, Volatility::Immutable)),
    ]
    .map(|(what, signature)| ScalarUDF::new_from_impl(OfMaps { what, signature }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Concat,
    Most,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfMaps {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for OfMaps {
    fn name(&self) -> &str {
        match self.what {
            What::Concat => "map_concat",
            What::Most => "map_of_most",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let maps = if self.what == What::Most { &args[..1] } else { args };
        let mut entry: Option<(DataType, DataType)> = None;
        for kind in maps.iter().map(plain) {
            let (key, value) = match &kind {
                DataType::Null => continue,
                DataType::Utf8 => (DataType::Utf8, DataType::Utf8),
                DataType::Map(..) => key_and_value(&kind).map(|(key, value)| (plain(key), plain(value)))?,
                other => return plan_err!("{} takes maps or JSON text, not {}", self.name(), in_short(other)),
            };
            let both = |one: &DataType, other: &DataType| {
                type_union_coercion(one, other).ok_or_else(|| {
                    plan_datafusion_err!("maps of {} and {} have no type of both", in_short(one), in_short(other))
                })
            };
            entry = Some(match entry {
                Some((keys, values)) => (both(&keys, &key)?, both(&values, &value)?),
                None => (key, value),
            });
        }
        match entry {
            Some((key, value)) => Ok(map_type(key, value)),
            None => plan_err!("{} takes maps", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let map = match self.what {
            What::Concat => concat(&arrays.iter().map(maps).collect::<Result<Vec<MapArray>>>()?, args.return_type())?,
            What::Most => most(&maps(&arrays[0])?, &arrays[1], args.return_type())?,
        };
        Ok(ColumnarValue::Array(map))
    }
}

fn concat(maps: &[MapArray], kind: &DataType) -> Result<ArrayRef> {
    let (key, value) = key_and_value(kind)?;
    let side = |arrays: Vec<&ArrayRef>, kind: &DataType| {
        arrays.into_iter().map(|array| Ok(cast(array, kind)?)).collect::<Result<Vec<ArrayRef>>>()
    };
    let keys = side(maps.iter().map(MapArray::keys).collect(), key)?;
    let values = side(maps.iter().map(MapArray::values).collect(), value)?;
    let compared = keys.iter().map(|keys| comparable(keys, key)).collect::<Result<Vec<_>>>()?;
    let nulls = maps.iter().fold(None, |nulls, map| NullBuffer::union(nulls.as_ref(), map.nulls()));
    let (mut places, mut lengths): (Vec<(usize, usize)>, Vec<usize>) = (Vec::new(), Vec::new());
    for row in 0..maps[0].len() {
        let begin = places.len();
        let mut seen = HashMap::new();
        for (which, map) in maps.iter().enumerate().filter(|_| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))) {
            for at in map.offsets()[row] as usize..map.offsets()[row + 1] as usize {
                match seen.get(&compared[which].row(at)) {
                    Some(&place) => places[place] = (which, at),
                    None => {
                        seen.insert(compared[which].row(at), places.len());
                        places.push((which, at));
                    }
                }
            }
        }
        lengths.push(places.len() - begin);
    }
    let taken =
        |arrays: &[ArrayRef]| interleave(&arrays.iter().map(|array| array.as_ref()).collect::<Vec<_>>(), &places);
    map_of(kind, taken(&keys)?, taken(&values)?, lengths, nulls)
}

/// Of equal values those of the lower keys.
fn most(map: &MapArray, counts: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    let (key, value) = key_and_value(kind)?;
    let counts = cast(counts, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    let (keys, values) = (comparable(map.keys(), key)?, comparable(map.values(), value)?);
    let (mut places, mut lengths): (Vec<u32>, Vec<usize>) = (Vec::new(), Vec::new());
    for row in 0..map.len() {
        let mut entries: Vec<usize> = if map.is_valid(row) && counts.is_valid(row) {
            (map.offsets()[row] as usize..map.offsets()[row + 1] as usize).collect()
        } else {
            Vec::new()
        };
        entries.sort_by(|&one, &other| {
            values.row(other).cmp(&values.row(one)).then_with(|| keys.row(one).cmp(&keys.row(other)))
        });
        entries.truncate(usize::try_from(counts.value(row)).unwrap_or(0));
        lengths.push(entries.len());
        places.extend(entries.iter().map(|&place| place as u32));
    }
    let places = UInt32Array::from(places);
    map_of(kind, take(map.keys(), &places, None)?, take(map.values(), &places, None)?, lengths, map.nulls().cloned())
}
