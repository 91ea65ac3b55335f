#!/usr/bin/env bash
# jackson-dataformat-yaml (the reader of Kestra's flow files): an alias becomes the text of its own name, and a merge key an
# ordinary key called `<<`, without an error. `cron: *nightly` is read as the cron expression "nightly".
# SnakeYAML, the parser beneath it, resolves both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.fasterxml.jackson.dataformat</groupId><artifactId>jackson-dataformat-yaml</artifactId>
      <version>2.20.0</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat > Ask.java <<'JAVA'
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.util.Map;
import java.util.TreeMap;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        var text = """
            cron: &nightly "0 3 * * *"
            retry: &twice { type: constant }
            same: *nightly
            task:
              <<: *twice
              timeout: PT1M
            """;
        System.out.println("jackson: " + new TreeMap<>(new ObjectMapper(new YAMLFactory()).readValue(text, Map.class)));
        Map<String, Object> resolved = new org.yaml.snakeyaml.Yaml().load(text);
        System.out.println("snakeyaml: " + new TreeMap<>(resolved));
    }
}
JAVA
echo "jackson-dataformat-yaml 2.20.0 on $(cd lib && echo snakeyaml-*.jar)"
java -cp 'lib/*' Ask.java | tee seen
diff - seen <<'EXPECTED'
jackson: {cron=0 3 * * *, retry={type=constant}, same=nightly, task={<<=twice, timeout=PT1M}}
snakeyaml: {cron=0 3 * * *, retry={type=constant}, same=0 3 * * *, task={type=constant, timeout=PT1M}}
EXPECTED
echo "as found: an alias is the text of its name"
