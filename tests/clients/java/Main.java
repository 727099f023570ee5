// The guide's flows with Google's Java SDK: one line of JSON for each flow that is named.

import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.genai.Client;
import com.google.genai.errors.ApiException;
import com.google.genai.gaos.models.interactions.CreateModelInteraction;
import com.google.genai.gaos.models.interactions.ImageContent;
import com.google.genai.gaos.models.interactions.ImageContentMimeType;
import com.google.genai.gaos.models.interactions.Interaction;
import com.google.genai.gaos.models.interactions.InteractionsInput;
import com.google.genai.gaos.models.operations.CreateInteractionRequestBody;
import com.google.genai.types.Content;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.HttpOptions;
import com.google.genai.types.Part;
import com.google.genai.types.Schema;
import com.google.genai.types.Type;
import com.google.genai.types.UploadFileConfig;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

public class Main {
  static final Map<String, String> ENV = System.getenv();
  static final String MODEL = "gemini-3-flash-preview";
  static final ObjectMapper JSON = new ObjectMapper();
  static final GenerateContentConfig PLAIN = GenerateContentConfig.builder().build();

  // docs: begin
  static Client connect(String vidi) {
    return Client.builder().apiKey("any").httpOptions(HttpOptions.builder().baseUrl(vidi).build()).build();
  }
  // docs: end

  static final Client CLIENT = connect(ENV.get("VIDI"));

  static Part picture(String path, String type) throws Exception {
    return Part.fromBytes(Files.readAllBytes(Path.of(path)), type);
  }

  static Part photo() throws Exception {
    return picture(ENV.get("PHOTO"), "image/jpeg");
  }

  static Part upload() {
    var file = CLIENT.files.upload(ENV.get("PHOTO"), UploadFileConfig.builder().mimeType("image/jpeg").build());
    return Part.fromUri(file.uri().get(), file.mimeType().get());
  }

  static Content contents(Part... parts) {
    return Content.fromParts(parts);
  }

  static Content caption() throws Exception {
    return contents(photo(), Part.fromText("Caption this image."));
  }

  static String ask(Content contents, GenerateContentConfig config) {
    return CLIENT.models.generateContent(MODEL, contents, config).text();
  }

  static Schema of(Type.Known kind) {
    return Schema.builder().type(kind).build();
  }

  static Schema scene() {
    Schema box = Schema.builder().type(Type.Known.ARRAY).items(of(Type.Known.INTEGER)).build();
    Schema item = Schema.builder().type(Type.Known.OBJECT)
        .properties(Map.of("label", of(Type.Known.STRING), "box_2d", box)).required("label", "box_2d").build();
    Schema kind = Schema.builder().type(Type.Known.STRING).enum_("photograph", "drawing").build();
    Schema items = Schema.builder().type(Type.Known.ARRAY).items(item).build();
    return Schema.builder().type(Type.Known.OBJECT).properties(Map.of("kind", kind, "items", items))
        .required("kind", "items").build();
  }

  static Interaction continued(InteractionsInput input, String previous) {
    var asked = CreateModelInteraction.builder().model(MODEL).input(input);
    if (previous != null) {
      asked.previousInteractionId(previous);
    }
    return CLIENT.interactions.create(CreateInteractionRequestBody.of(asked.build())).interaction().get();
  }

  static Map<String, Object> run(String flow) throws Exception {
    GenerateContentConfig json = GenerateContentConfig.builder().responseMimeType("application/json").build();
    Content detect = contents(photo(), Part.fromText(ENV.get("DETECT")));
    switch (flow) {
      case "caption":
        return Map.of("text", ask(caption(), PLAIN));
      case "fetched":
        HttpRequest get = HttpRequest.newBuilder(URI.create(ENV.get("PHOTO_URL"))).build();
        byte[] data = HttpClient.newHttpClient().send(get, HttpResponse.BodyHandlers.ofByteArray()).body();
        Part part = Part.fromBytes(data, "image/jpeg");
        return Map.of("text", ask(contents(part, Part.fromText("Caption this image.")), PLAIN));
      case "stream":
        List<String> chunks = new ArrayList<>();
        try (var stream = CLIENT.models.generateContentStream(MODEL, caption(), PLAIN)) {
          for (var chunk : stream) {
            chunks.add(chunk.text() == null ? "" : chunk.text());
          }
        }
        return Map.of("chunks", chunks);
      case "structured":
        var config = GenerateContentConfig.builder().responseMimeType("application/json").responseSchema(scene());
        return Map.of("value", JSON.readTree(ask(detect, config.build())));
      case "boxes":
        return Map.of("value", JSON.readTree(ask(detect, json)));
      case "upload":
        return Map.of("text", ask(contents(upload(), Part.fromText("Caption this image.")), PLAIN));
      case "https":
        Part there = Part.fromUri(ENV.get("HTTPS_URL"), "image/png");
        return Map.of("text", ask(contents(there, Part.fromText("Caption this image.")), PLAIN));
      case "several":
        Part question = Part.fromText("What is different between these two images?");
        return Map.of("text", ask(contents(question, upload(), picture(ENV.get("DRAWING"), "image/png")), PLAIN));
      case "tokens":
        int counted = CLIENT.models.countTokens(MODEL, List.of(caption()), null).totalTokens().get();
        var usage = CLIENT.models.generateContent(MODEL, caption(), PLAIN).usageMetadata().get();
        return Map.of("value", List.of(counted, usage.promptTokenCount().get()));
      case "interaction":
        ImageContent image = ImageContent.builder().mimeType(ImageContentMimeType.IMAGE_JPEG)
            .data(Base64.getEncoder().encodeToString(Files.readAllBytes(Path.of(ENV.get("PHOTO"))))).build();
        var first = continued(InteractionsInput.ofContent(List.of(image)), null);
        var again = continued(InteractionsInput.of("Caption this image."), first.id().get());
        CLIENT.interactions.delete(first.id().get());
        return Map.of("text", again.outputText().get());
      case "refused":
        try {
          CLIENT.models.generateContent("no-such-model", caption(), PLAIN);
          return Map.of();
        } catch (ApiException refusal) {
          return Map.of("value", List.of(refusal.code(), refusal.message()));
        }
      default:
        throw new IllegalArgumentException(flow);
    }
  }

  public static void main(String[] flows) throws Exception {
    for (String flow : flows) {
      System.out.println(JSON.writeValueAsString(run(flow)));
    }
    System.exit(0);
  }
}
