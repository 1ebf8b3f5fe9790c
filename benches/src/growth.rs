//! R7: what a server's memory grows by with the runs that it has executed.

use crate::footprint::REST;
use crate::process;
use crate::product::{ProductOptions, Served};
use crate::report::{Bar, Figure};
use crate::scenario::{self, Scenario};
use crate::setup::Setup;

/// So many tenants run once each before the first look, and again and again until the second: what
/// a tenant costs when it is seen first is not counted as growth.
const TENANTS: usize = 1_000;

pub(crate) fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let times = (setup.runs / TENANTS).max(2);
    let what = format!(
        "anonymous memory after {} runs minus after {TENANTS}",
        times * TENANTS
    );
    let mut figures = [Figure::new("R7", what, "MB", Bar::at_most(10.0, 3.0))];
    setup.rounds(&mut figures, |_, figures| {
        // Made anew, because a database that is full already fills its cache at once.
        let folder = setup.work.join("growth");
        let stage = Scenario::make(&setup.binary, &folder, None, TENANTS)?;
        let served = start(setup, &stage)?;
        once_each(&served, &stage)?;
        let few = at_rest(&served)?;
        for _ in 1..times {
            once_each(&served, &stage)?;
        }
        let many = at_rest(&served)?;
        figures[0].difference(many, few);
        served.stop()
    })?;
    Ok(figures.into())
}

fn start(setup: &Setup, stage: &Scenario) -> anyhow::Result<Served> {
    ProductOptions {
        binary: &setup.binary,
        data_dir: &stage.data_dir,
        database_url: None,
        roles: "api,scheduler,builder,runner",
        sandbox: "off",
        run_slots: setup.run_slots,
        pinned: false,
    }
    .start()
}

/// A run of each tenant, several at once. A tenant's next trigger comes after the end of its run,
/// so that no two become one run.
fn once_each(served: &Served, stage: &Scenario) -> anyhow::Result<()> {
    scenario::each(&served.address, &stage.tenants, |client, tenant| {
        let trigger = scenario::sync(client, *tenant)?;
        scenario::wait_for(client, &trigger)
    })?;
    Ok(())
}

fn at_rest(served: &Served) -> anyhow::Result<f64> {
    std::thread::sleep(REST);
    let (server, _) = process::memory(served.pid())?;
    Ok(server)
}
