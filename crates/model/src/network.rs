//! Networks in the format ONNX, run by tract.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::predict::features::{COUNT, Features};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::konst::Const;

use super::graph;
use super::refusal::Refusal;

/// Bytes of a network at most: what answers in time has far fewer.
const MOST: usize = 1 << 20;
/// Values between two operators at most.
const MOST_VALUES: usize = 1 << 16;
/// How long a network may take to load.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the stack that it is loaded on.
const STACK: usize = 8 << 20;
/// What can be run at once without memory being asked for.
const SPARE: usize = 64;

/// A network that can be asked.
#[derive(Debug)]
pub(super) struct Network {
    plan: Arc<TypedRunnableModel>,
    /// What was run with before, to be used again.
    states: Mutex<Vec<TypedSimpleState>>,
}

impl Network {
    /// That of a file. It is loaded on a thread of its own, which may panic, or be given up.
    pub(super) fn load(file: Vec<u8>) -> Result<Self, Refusal> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        if file.len() > MOST {
            let wrong = format!("has {} bytes: at most {MOST} are taken", file.len());
            return Err(Refusal::Network(wrong));
        }
        let (told, outcome) = mpsc::sync_channel(1);
        let load = move || {
            // Where one was given up, the next waits for it here, and is given up as well.
            let _turn = ONE_AT_A_TIME.lock();
            _ = told.send(plan(&file));
        };
        let thread = thread::Builder::new().name("model".into()).stack_size(STACK).spawn(load);
        thread.map_err(|error| Refusal::Network(format!("no thread to load it on: {error}")))?;
        let plan = outcome.recv_timeout(PATIENCE).map_err(|error| {
            Refusal::Network(match error {
                mpsc::RecvTimeoutError::Timeout => {
                    format!("it takes more than {PATIENCE:?} to load")
                }
                mpsc::RecvTimeoutError::Disconnected => "it cannot be loaded".into(),
            })
        })??;
        Ok(Self { plan, states: Mutex::default() })
    }

    /// The answer; NaN where there is none. What is no number counts as 0: a network would hand it on to its answer.
    pub(super) fn answer(&self, features: &Features) -> f32 {
        let given = features.map(|value| if value.is_nan() { 0.0 } else { value });
        catch_unwind(AssertUnwindSafe(|| self.run(&given).ok())).ok().flatten().unwrap_or(f32::NAN)
    }

    fn run(&self, features: &Features) -> TractResult<f32> {
        let spare = self.states.lock().pop();
        let mut state = match spare {
            Some(state) => state,
            None => self.plan.spawn()?,
        };
        let input = Tensor::from_shape(&[1, COUNT], features)?;
        let outputs = state.run(tvec!(input.into_tvalue()))?;
        let answer = outputs[0].cast_to_scalar::<f32>()?;
        let mut states = self.states.lock();
        if states.len() < SPARE {
            states.push(state);
        }
        Ok(answer)
    }
}

/// What `file` is run by.
fn plan(file: &[u8]) -> Result<Arc<TypedRunnableModel>, Refusal> {
    let onnx = tract_onnx::onnx().with_ignore_value_info(true);
    let mut reader = file;
    let model = onnx.proto_model_for_read(&mut reader).map_err(unusable)?;
    graph::check(&model)?;
    let mut network = onnx.model_for_proto_model(&model).map_err(unusable)?;
    let input = InferenceFact::dt_shape(f32::datum_type(), [1, COUNT]);
    network.set_input_fact(0, input).map_err(unusable)?;
    network.analyse(false).map_err(unusable)?;
    check_sizes(&network)?;
    let network = network.into_optimized().map_err(unusable)?;
    let output = network.output_fact(0).map_err(unusable)?;
    let is_one = output.datum_type == f32::datum_type()
        && output.shape.as_concrete().is_some_and(|shape| shape.iter().product::<usize>() == 1);
    if !is_one {
        return Err(Refusal::Network("its output is not one float32 for each row".into()));
    }
    network.into_runnable().map_err(unusable)
}

/// Whether everything between operators is small: nothing was computed yet.
fn check_sizes(network: &InferenceModel) -> Result<(), Refusal> {
    let computed = network.nodes().iter().filter(|node| !node.op_is::<Const>());
    for node in computed {
        for output in &node.outputs {
            let size = |size: usize, dimension: usize| size.checked_mul(dimension);
            let shape = output.fact.shape.as_concrete_finite().ok().flatten();
            let size = shape.and_then(|shape| shape.into_iter().try_fold(1, size));
            if size.is_none_or(|size| size > MOST_VALUES) {
                let wrong =
                    format!("the size of what `{}` gives is not known, or too large", node.name);
                return Err(Refusal::Network(wrong));
            }
        }
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value)]
fn unusable(error: TractError) -> Refusal {
    Refusal::Network(format!("{error:#}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, StringStringEntryProto};

    use super::super::testing::{network, network_said};
    use super::*;

    /// Why a network is refused that was changed so.
    fn why(change: impl FnOnce(&mut GraphProto)) -> String {
        let mut model = network(4);
        change(model.graph.as_mut().unwrap());
        refused(&model)
    }

    fn refused(model: &ModelProto) -> String {
        let refused = Network::load(model.encode_to_vec()).err();
        refused.map(|refusal| refusal.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_network_answers_as_it_is_written() {
        let network = Network::load(network(32).encode_to_vec()).unwrap();
        for place in 0..COUNT {
            let mut features = [0.5; COUNT];
            features[place] = -3.0;
            let (answer, said) = (network.answer(&features), network_said(32)(&features));
            assert!((answer - said).abs() < 1e-3, "{answer} {said}");
        }
        assert!(network.answer(&[f32::NAN; COUNT]).is_finite());
        assert_eq!(network.states.lock().len(), 1);
    }

    #[test]
    fn an_operator_that_cannot_be_run_is_named() {
        let operator = |name: &str, domain: &str| {
            why(|graph| {
                (graph.node[1].op_type, graph.node[1].domain) = (name.into(), domain.into());
            })
        };
        assert!(
            operator("Loop", "").contains("the operator `Loop`, which cannot be run: expected Abs")
        );
        assert!(operator("TreeEnsemble", "ai.onnx.ml").contains("`ai.onnx.ml TreeEnsemble`"));
        assert!(operator("Tanh", "com.example").contains("`com.example Tanh`"));
    }

    #[test]
    fn what_could_take_all_memory_or_a_file_is_refused_before_it_is_run() {
        for (wrong, refused) in [
            ("as many as its shape says", why(|graph| graph.initializer[0].dims = vec![1 << 40])),
            ("as many as its shape says", why(|graph| graph.initializer[0].dims = vec![-1, 4])),
            (
                "as many as its shape says",
                why(|graph| graph.initializer[0].dims = vec![i64::MAX, i64::MAX]),
            ),
            (
                "in this file",
                why(|graph| {
                    let entry = StringStringEntryProto {
                        key: "location".into(),
                        value: "/etc/passwd".into(),
                    };
                    graph.initializer[0].external_data = vec![entry];
                }),
            ),
            (
                "depends on the features",
                why(|graph| graph.node[2].input = vec!["first".into(), "second".into()]),
            ),
            (
                "is not known, or too large",
                why(|graph| {
                    graph.initializer[2].dims = vec![100_000, 1];
                    graph.initializer[2].float_data = vec![0.0; 100_000];
                }),
            ),
            ("more than 256", why(|graph| graph.node = vec![graph.node[1].clone(); 257])),
            (
                "no number or text",
                why(|graph| {
                    graph.node[1].attribute = vec![AttributeProto {
                        g: Some(GraphProto::default()),
                        ..Default::default()
                    }];
                }),
            ),
        ] {
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
        assert!(refused(&network(20_000)).contains("at most 1048576"));
    }

    #[test]
    fn a_network_with_other_ends_is_refused() {
        for (wrong, refused) in [
            ("expected one input", why(|graph| graph.input[0].name = "x".into())),
            ("expected one output, found 0", why(|graph| graph.output.clear())),
            ("nothing gives the output `y`", why(|graph| graph.output[0].name = "y".into())),
            ("which nothing gives", why(|graph| graph.node[1].input[0] = "x".into())),
            ("given twice", why(|graph| graph.node[1].output[0] = "products".into())),
            ("not one float32", why(|graph| graph.output[0].name = "hidden".into())),
        ] {
            assert!(refused.contains(wrong), "{wrong}: {refused}");
        }
        assert!(refused(&ModelProto::default()).contains("there is no graph"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whatever_is_cut_off_or_changed_is_run_or_refused(
            length in 0..1_000_usize, changes in proptest::collection::vec((0..700_usize, any::<u8>()), 0..4),
        ) {
            let mut file = network(4).encode_to_vec();
            for (place, value) in changes {
                if let Some(byte) = file.get_mut(place) {
                    *byte = value;
                }
            }
            file.truncate(length.max(file.len() / 2));
            if let Ok(network) = Network::load(file) {
                _ = network.answer(&[0.5; COUNT]);
            }
        }
    }
}
