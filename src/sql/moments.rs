//! `skewness(x)` and `kurtosis(x)` of Athena: to which side of their average values lie out, and how far.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

pub fn aggregates() -> [AggregateUDF; 2] {
    [What::Skewness, What::Kurtosis].map(|what| {
        let signature = Signature::exact(vec![DataType::Float64], Volatility::Immutable);
        AggregateUDF::new_from_impl(Moment { what, signature })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Skewness,
    Kurtosis,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Moment {
    what: What,
    signature: Signature,
}

impl AggregateUDFImpl for Moment {
    fn name(&self) -> &str {
        match self.what {
            What::Skewness => "skewness",
            What::Kurtosis => "kurtosis",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{} takes no DISTINCT: a subquery with SELECT DISTINCT does the same", self.name());
        }
        Ok(Box::new(Gathered { what: self.what, values: Central::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |part: &str| Arc::new(Field::new(format!("{}[{part}]", args.name), DataType::Float64, true));
        Ok(["count", "mean", "second", "third", "fourth"].map(field).to_vec())
    }
}

/// How many values there are, their average, and the sums of the second, third and fourth powers of what each differs from it by.
#[derive(Clone, Copy, Debug, Default)]
struct Central {
    count: f64,
    mean: f64,
    second: f64,
    third: f64,
    fourth: f64,
}

impl Central {
    /// Of the values of both. Sums of plain powers would lose all digits where values are large and near to each other, as times are.
    fn and(self, other: Central) -> Central {
        if self.count == 0.0 || other.count == 0.0 {
            return if self.count == 0.0 { other } else { self };
        }
        let (a, b) = (self.count, other.count);
        let count = a + b;
        let apart = other.mean - self.mean;
        Central {
            count,
            mean: self.mean + apart * b / count,
            second: self.second + other.second + apart.powi(2) * a * b / count,
            third: self.third
                + other.third
                + apart.powi(3) * a * b * (a - b) / count.powi(2)
                + 3.0 * apart * (a * other.second - b * self.second) / count,
            fourth: self.fourth
                + other.fourth
                + apart.powi(4) * a * b * (a * a - a * b + b * b) / count.powi(3)
                + 6.0 * apart.powi(2) * (a * a * other.second + b * b * self.second) / count.powi(2)
                + 4.0 * apart * (a * other.third - b * self.third) / count,
        }
    }

    /// `None` of fewer than three values.
    fn skewness(self) -> Option<f64> {
        (self.count >= 3.0).then(|| self.count.sqrt() * self.third / self.second.powf(1.5))
    }

    /// How much more than that of normal values; `None` of fewer than four.
    fn kurtosis(self) -> Option<f64> {
        let n = self.count;
        let variance = self.second / (n - 1.0);
        let weight = n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0));
        let normal = 3.0 * (n - 1.0).powi(2) / ((n - 2.0) * (n - 3.0));
        (n >= 4.0).then(|| weight * self.fourth / variance.powi(2) - normal)
    }
}

#[derive(Debug)]
struct Gathered {
    what: What,
    values: Central,
}

impl Accumulator for Gathered {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let values = columns[0].as_primitive::<Float64Type>().iter().flatten();
        self.values = values.fold(self.values, |all, mean| all.and(Central { count: 1.0, mean, ..Central::default() }));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let parts: Vec<&Float64Array> = states.iter().map(|state| state.as_primitive::<Float64Type>()).collect();
        for row in 0..states[0].len() {
            let [count, mean, second, third, fourth] = [0, 1, 2, 3, 4].map(|part: usize| parts[part].value(row));
            self.values = self.values.and(Central { count, mean, second, third, fourth });
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(match self.what {
            What::Skewness => self.values.skewness(),
            What::Kurtosis => self.values.kurtosis(),
        }))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Central { count, mean, second, third, fourth } = self.values;
        Ok([count, mean, second, third, fourth].map(|part| ScalarValue::Float64(Some(part))).to_vec())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(values: &[f64]) -> Central {
        values.iter().fold(Central::default(), |all, &mean| all.and(Central { count: 1.0, mean, ..Central::default() }))
    }

    #[test]
    fn values_say_the_same_in_any_parts() {
        let values = [1.0, 2.0, 3.0, 5.0].map(|value| value + 1_722_511_823.0);
        for begin in [0, 1, 2] {
            let (begin, rest) = values.split_at(begin);
            let both = all(begin).and(all(rest));
            let (skewness, kurtosis) = (both.skewness().unwrap(), both.kurtosis().unwrap());
            assert!((skewness - 0.434_651).abs() < 1e-5 && (kurtosis - 0.342_857).abs() < 1e-5, "{both:?}");
        }
        assert_eq!(all(&values[..2]).skewness(), None);
        assert_eq!(all(&values[..3]).kurtosis(), None);
    }
}
