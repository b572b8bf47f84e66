//! Asks shadows, away from the requests: on a thread of its own, behind a short queue. What does not fit is skipped and counted.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use tabwright_core::Block;
use tabwright_core::metric::Predictions;

use crate::app::App;
use crate::model::{Entry, Served, Shadow};

/// Requests that wait for the shadow at most.
const QUEUE: usize = 256;

/// Reads the rows of a request again, as another version reads them.
pub(crate) type Reread = Box<dyn FnOnce(&Served) -> Option<Block> + Send>;

struct Job {
    app: Arc<App>,
    main: Arc<Served>,
    answered: Predictions,
    shadow: Shadow,
    rows: Reread,
}

/// Where requests wait for shadows.
#[derive(Debug)]
pub(crate) struct ShadowQueue {
    jobs: Option<SyncSender<Job>>,
}

impl ShadowQueue {
    /// Starts its thread, which ends with the queue.
    pub(crate) fn start() -> Self {
        let (jobs, waiting) = sync_channel::<Job>(QUEUE);
        let run = move || {
            for job in waiting {
                // A version that cannot read the rows of the other has nothing to say to them.
                match (job.rows)(&job.shadow.served) {
                    Some(block) if block.n_rows() == job.answered.n_rows() => {
                        let predicted = job.shadow.served.predict(&block);
                        job.shadow.comparison.add((&job.main, &job.answered), (&job.shadow.served, &predicted));
                        job.app.metrics.shadowed(&job.shadow.served, block.n_rows());
                    }
                    _ => job.shadow.comparison.skip(),
                }
            }
        };
        let started = std::thread::Builder::new().name("shadow".into()).spawn(run);
        ShadowQueue { jobs: started.ok().map(|_| jobs) }
    }

    /// Has the shadow of a model asked about rows that its main version has answered.
    pub(crate) fn ask(
        &self,
        app: &Arc<App>,
        entry: &Entry,
        (answering, answered): (&Arc<Served>, &Predictions),
        rows: impl FnOnce() -> Reread,
    ) {
        let Some(shadow) = &entry.shadow else { return };
        // What the canary or a version by its number has answered says nothing about champion and challenger.
        if !Arc::ptr_eq(answering, &entry.main) {
            return;
        }
        let job = Job {
            app: Arc::clone(app),
            main: Arc::clone(answering),
            answered: answered.clone(),
            shadow: shadow.clone(),
            rows: rows(),
        };
        if self.jobs.as_ref().is_none_or(|jobs| jobs.try_send(job).is_err()) {
            shadow.comparison.skip();
        }
    }
}
