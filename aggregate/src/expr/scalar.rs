//! A value between two operations: exact numbers in 128 bits, their scale known from the expression's type.

use std::cmp::Ordering;

use model::value::{DataType, ValueRef};

use super::{EvalError, number};

/// One intermediate value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Bool(bool),
    /// An i64, or a decimal's unscaled value.
    Exact(i128),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Time(i64),
}

impl<'a> Scalar<'a> {
    /// A value as it came in, which must be of the type that the expression was compiled for.
    pub(super) fn read(value: ValueRef<'a>, expected: DataType) -> Option<Self> {
        let scalar = match (value, expected) {
            (ValueRef::Bool(value), DataType::Bool) => Self::Bool(value),
            (ValueRef::I64(value), DataType::I64) => Self::Exact(value.into()),
            (ValueRef::Decimal(value, scale), DataType::Decimal(wanted)) if scale == wanted => {
                Self::Exact(value.into())
            }
            (ValueRef::F64(value), DataType::F64) => Self::Float(value),
            (ValueRef::F32(value), DataType::F64) => Self::Float(value.into()),
            (ValueRef::String(value), DataType::String) => Self::Text(value),
            (ValueRef::Bytes(value), DataType::Bytes) => Self::Bytes(value),
            (ValueRef::Timestamp(value), DataType::Timestamp) => Self::Time(value),
            _ => return None,
        };
        Some(scalar)
    }

    /// The value of `data_type` as it goes out.
    ///
    /// # Errors
    /// [`EvalError::Overflow`] when an exact number does not fit into 64 bits.
    pub(super) fn write(self, data_type: DataType) -> Result<ValueRef<'a>, EvalError> {
        let value = match self {
            Self::Bool(value) => ValueRef::Bool(value),
            Self::Exact(value) => {
                let value = i64::try_from(value).map_err(|_| EvalError::Overflow { data_type })?;
                match data_type {
                    DataType::Decimal(scale) => ValueRef::Decimal(value, scale),
                    _ => ValueRef::I64(value),
                }
            }
            Self::Float(value) => ValueRef::F64(value),
            Self::Text(value) => ValueRef::String(value),
            Self::Bytes(value) => ValueRef::Bytes(value),
            Self::Time(value) => ValueRef::Timestamp(value),
        };
        Ok(value)
    }

    /// A float, which the plan says it is.
    pub(super) fn float(self) -> Result<f64, EvalError> {
        if let Self::Float(value) = self { Ok(value) } else { Err(EvalError::Plan) }
    }

    /// A string, which the plan says it is.
    pub(super) fn text(self) -> Result<&'a str, EvalError> {
        if let Self::Text(value) = self { Ok(value) } else { Err(EvalError::Plan) }
    }

    /// The order of two values of one type. NaN cannot occur: inputs and results are finite.
    pub(super) fn compare(self, other: Self) -> Result<Ordering, EvalError> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Ok(a.cmp(&b)),
            (Self::Exact(a), Self::Exact(b)) => Ok(a.cmp(&b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b).ok_or(EvalError::NotFinite),
            (Self::Text(a), Self::Text(b)) => Ok(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Ok(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Ok(a.cmp(&b)),
            _ => Err(EvalError::Plan),
        }
    }

    /// The same number as another type.
    pub(super) fn cast(self, from: DataType, to: DataType) -> Result<Self, EvalError> {
        let overflow = EvalError::Overflow { data_type: to };
        match (self, scale_of(to)) {
            (Self::Exact(value), Some(wanted)) => {
                let given = scale_of(from).ok_or(EvalError::Plan)?;
                number::rescale(value, given, wanted).map(Self::Exact).ok_or(overflow)
            }
            (Self::Float(value), Some(wanted)) => {
                number::from_f64(value, wanted).map(Self::Exact).ok_or(overflow)
            }
            (Self::Time(value), Some(0)) => Ok(Self::Exact(value.into())),
            (Self::Exact(value), None) if to == DataType::F64 => {
                let given = scale_of(from).ok_or(EvalError::Plan)?;
                Ok(Self::Float(number::to_f64(value, given)))
            }
            _ => Err(EvalError::Plan),
        }
    }
}

/// Decimal places of an exact type.
pub(super) fn scale_of(data_type: DataType) -> Option<u8> {
    match data_type {
        DataType::I64 => Some(0),
        DataType::Decimal(scale) => Some(scale),
        _ => None,
    }
}
