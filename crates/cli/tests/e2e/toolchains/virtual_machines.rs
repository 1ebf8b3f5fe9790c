//! Languages on a virtual machine: Java, Kotlin, Clojure, .NET.

use super::{Case, outcome};

const JAVA_MAIN: &str = r#"
public class Main {
    public static void main(String[] arguments) {
        System.out.println(new java.io.File(System.getenv("JAVA_HOME"), "bin/java").canExecute());
    }
}
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Java"]
async fn java_alone_and_with_maven() {
    let pom = "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>a</artifactId><version>1</version><packaging>pom</packaging></project>";
    let case = Case {
        base: "Java",
        programs: &["java", "javac", "mvn"],
        build: "mvn --batch-mode --offline --debug validate && javac -d out Main.java && jar cfe app.jar Main -C out .",
        run: "java -jar app.jar",
        files: &[("pom.xml", pom), ("Main.java", JAVA_MAIN)],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "true");
        let log = &outcome.build_log;
        assert!(log.contains("Using local repository at /cache/m2"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Gradle"]
async fn java_with_gradle() {
    let case = Case {
        base: "java",
        programs: &["java", "javac", "gradle"],
        build: "gradle --offline build && test -d \"$GRADLE_USER_HOME/caches\"",
        run: "java -cp build/classes/java/main Main",
        files: &[
            ("build.gradle", "apply plugin: 'java'\n"),
            ("src/main/java/Main.java", JAVA_MAIN),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "true");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kotlin"]
async fn kotlin_with_its_compiler() {
    let case = Case {
        base: "kotlin:99.0",
        programs: &["java", "kotlinc"],
        build: "kotlinc main.kt -include-runtime -d app.jar",
        run: "java -jar app.jar",
        files: &[("main.kt", "fun main() { println(\"from kotlin\") }\n")],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from kotlin");
        let message = outcome.build["message"].as_str().unwrap();
        assert!(
            message.contains("kotlinc 1."),
            "not Java's version: {message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Leiningen"]
async fn clojure_with_leiningen() {
    let case = Case {
        base: "closure",
        programs: &["java", "lein", "clojure"],
        build: "test -d \"$HOME/.m2/\" && lein -o version && test -d \"$LEIN_HOME\"",
        run: "clojure app.clj",
        files: &[("app.clj", "(println \"from clojure\")\n")],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from clojure");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs .NET"]
async fn dotnet_with_publish() {
    let project = "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net$(BundledNETCoreAppTargetFrameworkVersion)</TargetFramework></PropertyGroup></Project>";
    let case = Case {
        base: ".NET",
        programs: &["dotnet"],
        build: "dotnet publish -o publish",
        run: "dotnet publish/app.dll",
        files: &[
            ("app.csproj", project),
            ("Program.cs", "System.Console.WriteLine(\"from dotnet\");\n"),
        ],
        ..Case::default()
    };
    if let Some(outcome) = outcome(case).await {
        assert_eq!(outcome.std_out, "from dotnet");
    }
}
