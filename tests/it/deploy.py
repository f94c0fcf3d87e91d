"""Deploys the template to moto, and prints what came of it as JSON. Arguments: address, template, name of the stack, and further
parameters as KEY=VALUE."""

import ast
import json
import sys

import boto3

url, template, name, *further = sys.argv[1:]
session = boto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
client = lambda service: session.client(service, endpoint_url=url)

ec2 = client("ec2")
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
subnet = lambda number: ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{'ab'[number]}")
s3 = client("s3")
s3.create_bucket(Bucket=name)
s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})

parameters = {
    "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/weir:0.1.0",
    "VpcId": vpc,
    "SubnetA": subnet(0)["Subnet"]["SubnetId"],
    "SubnetB": subnet(1)["Subnet"]["SubnetId"],
    "LogBucket": name,
    "LogKeyArn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000",
}
parameters |= dict(one.split("=", 1) for one in further)
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
iam = client("iam")
# moto has those of a role itself as Python writes them
read = lambda document: document if isinstance(document, dict) else ast.literal_eval(document)
policies = {
    policy: read(iam.get_role_policy(RoleName=physical["TaskRole"], PolicyName=policy)["PolicyDocument"])
    for policy in iam.list_role_policies(RoleName=physical["TaskRole"])["PolicyNames"]
}
# CloudFormation leaves out what has no value, and moto does not
for policy in policies.values():
    policy["Statement"] = [statement for statement in policy["Statement"] if statement]
# what pulls the image and writes the log
start = read(iam.get_role_policy(RoleName=physical["StartRole"], PolicyName="start")["PolicyDocument"])
pulls = [statement["Resource"] for statement in start["Statement"] if statement["Sid"] == "PullImage"]
task = client("ecs").describe_task_definition(taskDefinition=physical["Task"])["taskDefinition"]
print(json.dumps({
    "status": stack["StackStatus"],
    "resources": physical,
    "outputs": {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
    "policies": policies,
    "pulls": pulls,
    "command": task["containerDefinitions"][0]["command"],
    "alive": task["containerDefinitions"][0]["healthCheck"]["command"],
}, default=str))
