"""Deploys the stack of the function to moto, and prints what came of it as JSON. Arguments: address, template, name."""

import ast
import io
import json
import sys
import zipfile

import boto3

url, template, name = sys.argv[1:]
session = boto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
client = lambda service: session.client(service, endpoint_url=url)

package = io.BytesIO()
with zipfile.ZipFile(package, "w") as archive:
    archive.writestr("bootstrap", "")
s3 = client("s3")
for bucket in [name, f"{name}-archive"]:
    s3.create_bucket(Bucket=bucket)
s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
s3.put_object(Bucket=f"{name}-archive", Key="code.zip", Body=package.getvalue())
kinesis = client("kinesis")
kinesis.create_stream(StreamName=name, ShardCount=1)

key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"
parameters = {
    "CodeBucket": f"{name}-archive",
    "CodeKey": "code.zip",
    "StreamArn": kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"],
    "StreamKeyArn": key,
    "LogBucket": name,
    "LogKeyArn": key,
    "ArchiveBucket": f"{name}-archive",
    "ArchiveKeyArn": key,
}
cloudformation = client("cloudformation")
cloudformation.create_stack(
    StackName=name,
    TemplateBody=open(template).read(),
    Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    Capabilities=["CAPABILITY_IAM"],
)
stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
# what moto does not know has no names
physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources if "PhysicalResourceId" in one}
# moto has it as Python writes it
policy = client("iam").get_role_policy(RoleName=physical["FunctionRole"], PolicyName="weir")["PolicyDocument"]
function = client("lambda")
configuration = function.get_function_configuration(FunctionName=physical["Function"])
print(json.dumps({
    "status": stack["StackStatus"],
    "resources": physical,
    "policy": ast.literal_eval(policy) if isinstance(policy, str) else policy,
    "function": configuration,
    "mappings": function.list_event_source_mappings(FunctionName=physical["Function"])["EventSourceMappings"],
}, default=str))
