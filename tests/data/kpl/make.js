// node make.js FOLDER: aggregated records by aws-kinesis-agg 4.2.8
const fs = require('fs');
const { RecordAggregator } = require('aws-kinesis-agg/lib/kpl-agg');
const write = (name, records) => {
  const packer = new RecordAggregator();
  for (const record of records) packer.addUserRecord(record);
  fs.writeFileSync(`${process.argv[2]}/${name}.bin`, packer.build().data);
};
const utf8 = text => Buffer.from(text, 'utf8');
write('node-keys', [
  { partitionKey: 'trail-a', data: utf8('{"eventName":"ConsoleLogin"}') },
  { partitionKey: 'trail-b', explicitHashKey: '340282366920938463463374607431768211455', data: utf8('{"eventName":"StopLogging"}') },
  { partitionKey: 'trail-a', data: utf8('{"eventName":"DeleteTrail"}') },
  { partitionKey: 'schlüssel-☃', data: Buffer.alloc(0) },
]);
const lines = [];
for (let i = 0; i < 130; i++) {
  lines.push({ partitionKey: `eni-${i}`, data: utf8(`2 111122223333 eni-${i} 10.0.0.1 10.0.0.2 443 ${1024 + i} 6 1 40 1722511800 1722511860 ACCEPT OK`) });
}
write('node-130-flows', lines);
