package recipe;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;

/** In a container (`docker build -t mock-kestra .`) every member is reached through the control port, 8082. */
class ContainerTest {
    static GenericContainer<?> kestra() {
        return new GenericContainer<>("mock-kestra:latest")
            .withCommand("serve", "worker-killed", "--bind", "0.0.0.0", "--control-bind", "0.0.0.0")
            .withExposedPorts(8082)
            .waitingFor(Wait.forHttp("/health").forPort(8082));
    }

    /** The same arguments without an engine. */
    @RegisterExtension
    final MockKestra local = new MockKestra("worker-killed", "--bind", "0.0.0.0", "--control-bind", "0.0.0.0");

    @Test
    @EnabledIf("engine")
    void aWorkerIsDeadInAContainer() throws Exception {
        try (var kestra = kestra()) {
            kestra.start();
            aWorkerIsDead("http://" + kestra.getHost() + ":" + kestra.getMappedPort(8082));
        }
    }

    static boolean engine() {
        return DockerClientFactory.instance().isDockerAvailable();
    }

    @Test
    void aWorkerIsDeadWithoutAnEngine() throws Exception {
        assertEquals("serve " + String.join(" ", local.arguments), String.join(" ", kestra().getCommandParts()));
        aWorkerIsDead(local.control());
    }

    /** After eleven minutes a scrape of worker-1 fails: 502. */
    static void aWorkerIsDead(String control) throws Exception {
        var client = HttpClient.newHttpClient();
        var jump = HttpRequest.newBuilder(URI.create(control + "/api/run-until"))
            .POST(BodyPublishers.ofString("{\"at\": \"11m\", \"now\": true}")).build();
        assertEquals(200, client.send(jump, BodyHandlers.discarding()).statusCode());
        var scrape = HttpRequest.newBuilder(URI.create(control + "/members/worker-1/prometheus")).build();
        assertEquals(502, client.send(scrape, BodyHandlers.discarding()).statusCode());
    }
}
