// Makes one upload with @aws-sdk/lib-storage and its defaults, as its manual shows: node test/bench/lib-storage.js ENDPOINT BUCKET KEY FILE
import { createReadStream } from 'node:fs';
import { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

const [endpoint, Bucket, Key, file] = process.argv.slice(2);
const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
await new Upload({ client, params: { Bucket, Key, Body: createReadStream(file) } }).done();
client.destroy();
