// What `infernode` alone says: the first four things to do.

/**
 * The text.
 * @param command as the person calls it: "infernode", or "npx infernode"
 */
export function welcomeText(command: string): string {
  return `infernode runs language models (GGUF files) in Node.js. Four things to do first:

1. Write a story with the small model in the package:
     ${command} generate "Once upon a time"

2. Chat, with that model or with a file of yours:
     ${command} chat
     ${command} chat my-model.gguf

3. Try a model in a browser, and serve it to programs by OpenAI's API:
     ${command} serve my-model.gguf

4. Use a model from code, or serve it as a RunPod worker:
     import { loadModel } from "infernode";
     MODEL_NAME=my-model.gguf ${command} worker --rp_serve_api

${command} --help shows all commands.
`;
}
