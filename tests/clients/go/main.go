// Command client runs the guide's flows with Google's Go SDK: one line of JSON for each flow that is named.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"google.golang.org/genai"
)

const model = "gemini-3-flash-preview"

// sighting is what the guide's detection sample decodes: whole numbers, and nothing around the list.
type sighting struct {
	Box2D []int  `json:"box_2d"`
	Label string `json:"label"`
}

type scene struct {
	Kind  string     `json:"kind"`
	Items []sighting `json:"items"`
}

var item = &genai.Schema{
	Type: genai.TypeObject,
	Properties: map[string]*genai.Schema{
		"label":  {Type: genai.TypeString},
		"box_2d": {Type: genai.TypeArray, Items: &genai.Schema{Type: genai.TypeInteger}},
	},
	Required: []string{"label", "box_2d"},
}

var sceneSchema = &genai.Schema{
	Type: genai.TypeObject,
	Properties: map[string]*genai.Schema{
		"kind":  {Type: genai.TypeString, Enum: []string{"photograph", "drawing"}},
		"items": {Type: genai.TypeArray, Items: item},
	},
	Required: []string{"kind", "items"},
}

type answer map[string]any

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func user(parts ...*genai.Part) []*genai.Content {
	return []*genai.Content{genai.NewContentFromParts(parts, genai.RoleUser)}
}

func connect(ctx context.Context) (*genai.Client, error) {
	// docs: begin
	options := genai.HTTPOptions{BaseURL: os.Getenv("VIDI")}
	client, err := genai.NewClient(ctx, &genai.ClientConfig{APIKey: "any", HTTPOptions: options})
	// docs: end
	return client, err
}

func main() {
	ctx := context.Background()
	client := must(connect(ctx))
	photo := must(os.ReadFile(os.Getenv("PHOTO")))
	drawing := must(os.ReadFile(os.Getenv("DRAWING")))
	caption := user(genai.NewPartFromBytes(photo, "image/jpeg"), genai.NewPartFromText("Caption this image."))
	detect := user(genai.NewPartFromBytes(photo, "image/jpeg"), genai.NewPartFromText(os.Getenv("DETECT")))

	ask := func(contents []*genai.Content, config *genai.GenerateContentConfig) *genai.GenerateContentResponse {
		return must(client.Models.GenerateContent(ctx, model, contents, config))
	}
	upload := func() *genai.File {
		return must(client.Files.UploadFromPath(ctx, os.Getenv("PHOTO"), nil))
	}

	flows := map[string]func() answer{
		"caption": func() answer { return answer{"text": ask(caption, nil).Text()} },
		"fetched": func() answer {
			response := must(http.Get(os.Getenv("PHOTO_URL")))
			defer response.Body.Close()
			part := genai.NewPartFromBytes(must(io.ReadAll(response.Body)), "image/jpeg")
			return answer{"text": ask(user(part, genai.NewPartFromText("Caption this image.")), nil).Text()}
		},
		"stream": func() answer {
			chunks := []string{}
			for chunk, err := range client.Models.GenerateContentStream(ctx, model, caption, nil) {
				chunks = append(chunks, must(chunk, err).Text())
			}
			return answer{"chunks": chunks}
		},
		"structured": func() answer {
			config := &genai.GenerateContentConfig{
				ResponseMIMEType: "application/json",
				ResponseSchema:   sceneSchema,
			}
			var value scene
			must(0, json.Unmarshal([]byte(ask(detect, config).Text()), &value))
			return answer{"value": value}
		},
		"boxes": func() answer {
			config := &genai.GenerateContentConfig{ResponseMIMEType: "application/json"}
			var value []sighting
			must(0, json.Unmarshal([]byte(ask(detect, config).Text()), &value))
			return answer{"value": value}
		},
		"upload": func() answer {
			file := upload()
			parts := user(
				genai.NewPartFromText("Caption this image."),
				genai.NewPartFromURI(file.URI, file.MIMEType),
			)
			text := ask(parts, nil).Text()
			must(client.Files.Delete(ctx, file.Name, nil))
			return answer{"text": text}
		},
		"https": func() answer {
			there := genai.NewPartFromURI(os.Getenv("HTTPS_URL"), "image/png")
			return answer{"text": ask(user(there, genai.NewPartFromText("Caption this image.")), nil).Text()}
		},
		"several": func() answer {
			file := upload()
			parts := user(
				genai.NewPartFromText("What is different between these two images?"),
				genai.NewPartFromURI(file.URI, file.MIMEType),
				genai.NewPartFromBytes(drawing, "image/png"),
			)
			return answer{"text": ask(parts, nil).Text()}
		},
		"tokens": func() answer {
			counted := must(client.Models.CountTokens(ctx, model, caption, nil)).TotalTokens
			return answer{"value": []int32{counted, ask(caption, nil).UsageMetadata.PromptTokenCount}}
		},
		"refused": func() answer {
			_, err := client.Models.GenerateContent(ctx, "no-such-model", caption, nil)
			var refusal genai.APIError
			if !errors.As(err, &refusal) {
				log.Fatalf("not an APIError: %v", err)
			}
			return answer{"value": []any{refusal.Code, refusal.Message}}
		},
	}
	for _, flow := range os.Args[1:] {
		fmt.Println(string(must(json.Marshal(flows[flow]()))))
	}
}
