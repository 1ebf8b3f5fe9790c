//! Python with pip, virtual environments and pipenv.

use super::{Case, outcome};

/// Makes wheels without a network: a wheel is an archive with three files of description.
const WHEEL: &str = r#"
import os, zipfile
os.makedirs("wheels")
with zipfile.ZipFile("wheels/shipped-1.0-py3-none-any.whl", "w") as wheel:
    about = "shipped-1.0.dist-info/"
    wheel.writestr("shipped.py", "def main():\n    print('from a script')\n")
    wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\nName: shipped\nVersion: 1.0\n")
    wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(about + "entry_points.txt", "[console_scripts]\nshipped = shipped:main\n")
    wheel.writestr(about + "RECORD", "")
"#;
const PYTHON_MAIN: &str =
    "import shipped, sys; assert shipped.__file__.startswith('/integration/'), shipped.__file__";

#[tokio::test(flavor = "multi_thread")]
async fn python_with_pip_and_no_environment_of_its_own() {
    let case = Case {
        base: "python:3",
        programs: &["python3", "pip3"],
        build: "python wheel.py && pip install --no-index --find-links wheels -r requirements.txt",
        run: "python main.py && python3 main.py && shipped",
        files: &[
            ("wheel.py", WHEEL),
            ("requirements.txt", "shipped==1.0\n"),
            ("main.py", PYTHON_MAIN),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a script");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: a virtual environment is made"]
async fn python_with_an_environment_in_the_repository() {
    let case = Case {
        base: "python:3",
        programs: &["python3", "pip3"],
        build: "python wheel.py && python -m venv .venv && .venv/bin/pip install --no-index --find-links wheels shipped",
        run: ".venv/bin/python main.py && . .venv/bin/activate && shipped",
        files: &[("wheel.py", WHEEL), ("main.py", PYTHON_MAIN)],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a script");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: a virtual environment is made"]
async fn python_with_pipenv() {
    let case = Case {
        base: "python:3",
        programs: &["python3", "pipenv"],
        build: "python wheel.py && pipenv run pip install --no-index --find-links wheels shipped",
        run: "pipenv run python main.py && pipenv run shipped",
        files: &[
            ("wheel.py", WHEEL),
            ("Pipfile", "[packages]\n"),
            ("main.py", PYTHON_MAIN),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from a script");
    }
}
