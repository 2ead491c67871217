// Calls the npm package remove.bg, of which a copy lies in the working folder, and prints what comes.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [key, photo, output] = process.argv.slice(2);
const client = createRequire(`${process.cwd()}/`)('remove.bg');
const base64img = readFileSync(photo).toString('base64');
const calls = [
  () => client.removeBackgroundFromImageFile({ path: photo, apiKey: key, outputFile: output }),
  () => client.removeBackgroundFromImageBase64({ base64img, apiKey: key, size: 'full' }),
  () => client.removeBackgroundFromImageUrl({ url: 'http://example.com/photo.jpg', apiKey: key }),
  () => client.removeBackgroundFromImageBase64({ base64img, apiKey: 'guessed' }),
];
const outcomes = [];
for (const call of calls) {
  outcomes.push(await call().then((result) => ({ result }), (errors) => ({ errors })));
}
console.log(JSON.stringify(outcomes));
