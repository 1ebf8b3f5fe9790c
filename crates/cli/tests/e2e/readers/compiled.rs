//! Languages that are compiled in the build.

use super::Manner;

/// Java, Kotlin, C#, Go, Rust.
pub(super) const MANNERS: [Manner; 5] = [
    // Streams over the environment; times in Go's form are parsed.
    Manner {
        name: "java-lib",
        programs: &["java", "javac"],
        manifest: r"
version: 0.4
base: Java:11
build: javac -d out Main.java
run: java -cp out Main
configs: {schema: {type: object, properties: {shade: {type: string, default: grey}, nothing: {type: string}}}}
",
        files: &[(
            "Main.java",
            r#"
import java.nio.file.*;
import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.util.*;
import java.util.regex.*;
import java.util.stream.Collectors;

public class Main {
    static Map<String, String> group(String prefix) {
        return System.getenv().entrySet().stream().filter(entry -> entry.getKey().startsWith(prefix)).collect(Collectors.toMap(
            entry -> entry.getKey().substring(prefix.length()).toLowerCase(Locale.ROOT), Map.Entry::getValue));
    }
    static String find(String pattern, String text, String otherwise) {
        Matcher found = Pattern.compile(pattern).matcher(text);
        return found.find() ? found.group(1) : otherwise;
    }
    public static void main(String[] arguments) throws Exception {
        Map<String, String> cfg = group("PAN_CFG_"), ctx = group("PAN_CTX_");
        String triggers = ctx.get("run_triggers");
        String payload = Files.readString(Path.of(find("\"file\":\"([^\"]*)\"", triggers, "")));
        String header = find("\"x-shop\":\"([^\"]*)\"", triggers, null);
        int seen = Integer.parseInt(find("\"seen\":\\s*(\\d+)", ctx.getOrDefault("last_successful_run_std_out", ""), "-1"));
        if (seen >= 0) {
            DateTimeFormatter format = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss Z 'UTC'");
            OffsetDateTime start = OffsetDateTime.parse(ctx.get("last_successful_run_start_time"), format);
            System.err.println("the last run began at " + start);
        }
        System.out.printf("{\"bool\":%b,\"off\":%b,\"count\":%d,\"list\":%s,\"fallback\":\"%s\",\"unset\":%s,\"mode\":\"%s\",\"tenant\":\"%s\",\"payload\":%s,\"header\":\"%s\",\"seen\":%d}%n",
            Boolean.parseBoolean(cfg.get("bool_input")), Boolean.parseBoolean(cfg.get("off_input")), Integer.valueOf(cfg.get("count")), cfg.get("list"),
            cfg.get("shade"), cfg.get("nothing"), ctx.get("run_mode"), ctx.get("tenant_name"), payload, header, seen + 1);
    }
}
"#,
        )],
    },
    // Each variable by its name; what a webhook brings goes another way.
    Manner {
        name: "kotlin-lib",
        programs: &["java", "kotlinc"],
        manifest: r"
version: 1.0
base: kotlin
build: kotlinc main.kt -include-runtime -d app.jar
run: java -jar app.jar
configs: {schema: {type: object, properties: {shade: {type: string, default: grey}}}}
",
        files: &[(
            "main.kt",
            r#"
import java.io.File

fun cfg(name: String) = System.getenv("PAN_CFG_$name")
fun ctx(name: String) = System.getenv("PAN_CTX_$name")
fun find(pattern: String, text: String) = Regex(pattern).find(text)?.groupValues?.get(1)

fun main() {
    val mode = ctx("RUN_MODE")
    val triggers = ctx("RUN_TRIGGERS")
    if (mode == "webhook" || triggers.contains("\"source\":\"webhook\"")) error("nobody calls this one")
    val payload = File(find("\"file\":\"([^\"]*)\"", triggers)!!).readText()
    val header = find("\"x-shop\":\"([^\"]*)\"", triggers)
    val seen = find("\"seen\":\\s*(\\d+)", ctx("LAST_SUCCESSFUL_RUN_STD_OUT") ?: "")?.toInt() ?: -1
    System.err.println("mode $mode")
    println("""{"bool":${cfg("BOOL_INPUT") == "true"},"off":${cfg("OFF_INPUT") == "true"},"count":${cfg("COUNT").toInt()},"list":${cfg("LIST")},"fallback":"${cfg("SHADE")}","unset":${cfg("NOTHING")},"mode":"$mode","tenant":"${ctx("TENANT_NAME")}","payload":$payload,"header":"$header","seen":${seen + 1}}""")
}
"#,
        )],
    },
    // `bool.Parse` takes true and True, and neither 1 nor yes.
    Manner {
        name: "csharp-lib",
        programs: &["dotnet"],
        manifest: r"
version: 1.0
base: csharp
build: dotnet publish -o publish
run: dotnet publish/app.dll
configs: {schema: {type: object, properties: {shade: {type: string, default: grey}}}}
",
        files: &[
            (
                "app.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net$(BundledNETCoreAppTargetFrameworkVersion)</TargetFramework></PropertyGroup></Project>",
            ),
            (
                "Program.cs",
                r#"
using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;

public static class Program
{
    static Dictionary<string, string> Group(string prefix)
    {
        return Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(entry => ((string)entry.Key).StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(entry => ((string)entry.Key).Substring(prefix.Length).ToLowerInvariant(), entry => (string)entry.Value);
    }

    static JsonElement Json(string text)
    {
        return JsonDocument.Parse(text).RootElement;
    }

    public static void Main()
    {
        var cfg = Group("PAN_CFG_");
        var ctx = Group("PAN_CTX_");
        var payload = Json(ctx["run_triggers"])[0].GetProperty("payload");
        ctx.TryGetValue("last_successful_run_std_out", out var last);
        cfg.TryGetValue("nothing", out var nothing);
        Console.Error.WriteLine("This run is in mode: " + ctx["run_mode"]);
        Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["bool"] = bool.Parse(cfg["bool_input"]),
            ["off"] = bool.Parse(cfg["off_input"]),
            ["count"] = int.Parse(cfg["count"]),
            ["list"] = Json(cfg["list"]),
            ["fallback"] = cfg["shade"],
            ["unset"] = nothing,
            ["mode"] = ctx["run_mode"],
            ["tenant"] = ctx["tenant_name"],
            ["payload"] = Json(File.ReadAllText(payload.GetProperty("file").GetString())),
            ["header"] = payload.GetProperty("headers").GetProperty("x-shop").GetString(),
            ["seen"] = (last == null ? -1 : Json(last).GetProperty("seen").GetInt32()) + 1,
        }));
    }
}
"#,
            ),
        ],
    },
    // The environment as a list of texts; times are those that the language prints itself.
    Manner {
        name: "go-lib",
        programs: &["go"],
        manifest: r"
version: 1.0
base: go
build: CGO_ENABLED=0 go build -o app .
run: ./app
configs: {schema: {type: object, properties: {shade: {type: string, default: grey}}}}
",
        files: &[
            ("go.mod", "module example.com/reader\n\ngo 1.18\n"),
            (
                "main.go",
                r#"
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type trigger struct {
	Source  string
	Payload struct {
		File    string
		Headers map[string]string
	}
}

func group(prefix string) map[string]string {
	found := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, prefix) {
			found[strings.ToLower(strings.TrimPrefix(name, prefix))] = value
		}
	}
	return found
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func read(text string, into interface{}) {
	must(0, json.Unmarshal([]byte(text), into))
}

func main() {
	cfg, ctx := group("PAN_CFG_"), group("PAN_CTX_")
	var triggers []trigger
	read(ctx["run_triggers"], &triggers)
	last := struct{ Seen int }{-1}
	if text, ok := ctx["last_successful_run_std_out"]; ok {
		read(text, &last)
		must(time.Parse("2006-01-02 15:04:05 -0700 MST", ctx["last_run_completion_time"]))
	}
	var unset interface{}
	if value, ok := cfg["nothing"]; ok {
		unset = value
	}
	fmt.Fprintln(os.Stderr, "mode", ctx["run_mode"], "from", triggers[0].Source)
	out := map[string]interface{}{
		"bool": must(strconv.ParseBool(cfg["bool_input"])), "off": must(strconv.ParseBool(cfg["off_input"])),
		"count": must(strconv.Atoi(cfg["count"])), "list": json.RawMessage(cfg["list"]), "fallback": cfg["shade"], "unset": unset,
		"mode": ctx["run_mode"], "tenant": ctx["tenant_name"], "payload": json.RawMessage(must(os.ReadFile(triggers[0].Payload.File))),
		"header": triggers[0].Payload.Headers["x-shop"], "seen": last.Seen + 1,
	}
	fmt.Println(string(must(json.Marshal(out))))
}
"#,
            ),
        ],
    },
    // Every value by its type's own parser; a name or value that is no Unicode would end it.
    Manner {
        name: "rust-lib",
        programs: &["cargo", "cc"],
        manifest: r"
version: 1.0
base: rust
build: cargo build --offline
run: target/debug/reader
configs: {schema: {type: object, properties: {shade: {type: string, default: grey}}}}
",
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"reader\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
            ),
            (
                "src/main.rs",
                r##"
use std::collections::HashMap;

fn group(prefix: &str) -> HashMap<String, String> {
    std::env::vars()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_lowercase(), value)))
        .collect()
}

fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    Some(text.split_once(&format!("\"{name}\":"))?.1.trim_start())
}

fn text<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    after(json, name)?.strip_prefix('"')?.split('"').next()
}

fn main() {
    let (cfg, ctx) = (group("PAN_CFG_"), group("PAN_CTX_"));
    let triggers = &ctx["run_triggers"];
    let payload = std::fs::read_to_string(text(triggers, "file").unwrap()).unwrap();
    let last = ctx.get("last_successful_run_std_out").and_then(|last| after(last, "seen"));
    let seen: i64 = last.map_or(-1, |last| last.trim_end_matches('}').parse().unwrap());
    eprintln!("mode {}", ctx["run_mode"]);
    println!(
        r#"{{"bool":{},"off":{},"count":{},"list":{},"fallback":"{}","unset":{},"mode":"{}","tenant":"{}","payload":{payload},"header":"{}","seen":{}}}"#,
        cfg["bool_input"].parse::<bool>().unwrap(), cfg["off_input"].parse::<bool>().unwrap(),
        cfg["count"].parse::<i64>().unwrap(), cfg["list"], cfg["shade"],
        cfg.get("nothing").map_or("null", String::as_str), ctx["run_mode"], ctx["tenant_name"],
        text(triggers, "x-shop").unwrap(), seen + 1,
    );
}
"##,
            ),
        ],
    },
];
