package recipe;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** `mock-kestra serve` with these arguments for each test, standing still. MOCK_KESTRA is the path of the binary. */
class MockKestra implements BeforeEachCallback, AfterEachCallback {
    private final HttpClient client = HttpClient.newHttpClient();
    final List<String> arguments;
    private Process process;
    private JsonNode ports;

    MockKestra(String... arguments) { this.arguments = List.of(arguments); }

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        var ready = Files.createTempDirectory("mock-kestra").resolve("ready.json");
        var command = new java.util.ArrayList<>(List.of(System.getenv().getOrDefault("MOCK_KESTRA", "mock-kestra"), "serve"));
        command.addAll(arguments);
        command.addAll(List.of("--paused", "--port", "0", "--control", "0", "--ready-file", ready.toString()));
        process = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        while (!Files.exists(ready)) {
            if (process.waitFor(50, TimeUnit.MILLISECONDS)) throw new IllegalStateException("mock-kestra has ended");
        }
        ports = new ObjectMapper().readTree(ready.toFile());
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        process.destroy();
        process.waitFor();
    }

    String control() {
        return "http://" + ports.get("control").asText().replace("0.0.0.0", "127.0.0.1");
    }

    JsonNode ask(String method, String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(control() + path));
        var answer = client.send(request.method(method, HttpRequest.BodyPublishers.ofString(body)).build(), BodyHandlers.ofString());
        if (answer.statusCode() >= 300) throw new IllegalStateException(answer.body());
        return new ObjectMapper().readTree(answer.body());
    }

    String scrape(String member) throws Exception {
        var all = ask("GET", "/api/state", "").get("members");
        var at = all.findValuesAsText("management").get(all.findValuesAsText("name").indexOf(member));
        return client.send(HttpRequest.newBuilder(URI.create(at + "/prometheus")).build(), BodyHandlers.ofString()).body();
    }
}
