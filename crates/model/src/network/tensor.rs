//! A tensor: numbers that a network comes with.

use super::super::refusal::Refusal;
use super::proto::{self, ElementType};
use super::shape::Shape;
use super::wrong;

/// Values, as many as their shape says.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) shape: Shape,
    pub(super) values: Values,
}

#[derive(Debug)]
pub(super) enum Values {
    Floats(Vec<f32>),
    /// Dimensions and axes.
    Ints(Vec<i64>),
}

impl Tensor {
    pub(super) fn read(tensor: &proto::Tensor) -> Result<Self, Refusal> {
        plain(tensor).ok_or_else(|| {
            let name = &tensor.name;
            wrong(format!(
                "the tensor `{name}` is not one of float32 or int64 values in this file, as many as its shape says"
            ))
        })
    }
}

fn plain(tensor: &proto::Tensor) -> Option<Tensor> {
    if !tensor.external_data.is_empty() || tensor.data_location != 0 {
        return None;
    }
    let (shape, raw) = (Shape::read(&tensor.dims)?, &tensor.raw_data);
    let (values, count) = match ElementType::try_from(tensor.data_type).ok()? {
        ElementType::Float => {
            let floats = written(raw, f32::from_le_bytes, &tensor.float_data)?;
            let count = floats.len();
            (Values::Floats(floats), count)
        }
        ElementType::Int64 => {
            let ints = written(raw, i64::from_le_bytes, &tensor.int64_data)?;
            let count = ints.len();
            (Values::Ints(ints), count)
        }
        ElementType::Undefined => return None,
    };
    (count == shape.size()).then_some(Tensor { shape, values })
}

/// The values of `raw`, or where it is empty those that were `listed`. None if the last one is not whole.
fn written<T: Clone, const N: usize>(
    raw: &[u8],
    value: fn([u8; N]) -> T,
    listed: &[T],
) -> Option<Vec<T>> {
    if raw.is_empty() {
        return Some(listed.to_vec());
    }
    let (whole, rest) = raw.as_chunks();
    rest.is_empty().then(|| whole.iter().map(|bytes| value(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tensor: &proto::Tensor) -> Option<(Vec<usize>, Vec<f32>, Vec<i64>)> {
        let Tensor { shape, values } = plain(tensor)?;
        let (floats, ints) = match values {
            Values::Floats(floats) => (floats, vec![]),
            Values::Ints(ints) => (vec![], ints),
        };
        Some((shape.dimensions().to_vec(), floats, ints))
    }

    fn floats() -> proto::Tensor {
        let float_data = vec![1.0, 2.0];
        proto::Tensor { dims: vec![1, 2], data_type: 1, float_data, ..Default::default() }
    }

    #[test]
    fn values_stand_in_a_list_or_as_bytes() {
        let two = Some((vec![1, 2], vec![1.0, 2.0], vec![]));
        assert_eq!(read(&floats()), two);
        let raw_data = [1_f32, 2.0].map(f32::to_le_bytes).concat();
        assert_eq!(read(&proto::Tensor { raw_data, float_data: vec![], ..floats() }), two);
        let listed = proto::Tensor { data_type: 7, int64_data: vec![-1, 3], ..floats() };
        assert_eq!(read(&listed), Some((vec![1, 2], vec![], vec![-1, 3])));
        let raw_data = [-1_i64, 3].map(i64::to_le_bytes).concat();
        assert_eq!(
            read(&proto::Tensor { raw_data, ..listed }),
            Some((vec![1, 2], vec![], vec![-1, 3]))
        );
    }

    #[test]
    fn a_tensor_is_as_large_as_it_says_and_in_the_file_itself() {
        let tensor = floats();
        for (wrong, refused) in [
            ("too few", proto::Tensor { dims: vec![3], ..tensor.clone() }),
            ("too many", proto::Tensor { dims: vec![1 << 40], ..tensor.clone() }),
            ("negative", proto::Tensor { dims: vec![-1, -2], ..tensor.clone() }),
            ("overflow", proto::Tensor { dims: vec![i64::MAX; 2], ..tensor.clone() }),
            ("not whole", proto::Tensor { raw_data: vec![0; 9], ..tensor.clone() }),
            ("too long", proto::Tensor { raw_data: vec![0; 12], ..tensor.clone() }),
            ("float64", proto::Tensor { data_type: 11, ..tensor.clone() }),
            ("no type", proto::Tensor { data_type: 0, ..tensor.clone() }),
            ("elsewhere", proto::Tensor { external_data: vec![vec![]], ..tensor.clone() }),
            ("elsewhere", proto::Tensor { data_location: 1, ..tensor.clone() }),
        ] {
            let told = Tensor::read(&refused).err().map(|refusal| refusal.to_string());
            let told = told.unwrap_or_default();
            assert!(told.contains("in this file, as many as its shape says"), "{wrong}: {told}");
        }
    }
}
