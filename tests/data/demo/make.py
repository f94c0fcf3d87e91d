#!/usr/bin/env python3
"""Recordings and samples of this repository, and generated ordinary traffic → the files of `weir demo`, and manifest.json.

Run from anywhere with Python 3.11 and nothing else: `tests/data/demo/make.py`. The same bytes come out every time
(given the same zlib), because the seed, the day and the gzip header are fixed.
SOURCE.md says which files are recorded and which are generated.
"""
import datetime
import gzip
import io
import json
import pathlib
import random
import re
import shutil

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent
DAY = datetime.datetime(2024, 8, 1, tzinfo=datetime.timezone.utc)
PRODUCTION, LAKE = "111122223333", "444455556666"

manifest = {}
seen_ids = set()


# ---- files --------------------------------------------------------------------------------------------------------

def write(path, text, table, records, rejects=0, ids=()):
    """Writes one gzip file and its line of the manifest. `ids` are the event ids, in order, where the table has them."""
    target = HERE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as file:
        file.write(text.encode())
    target.write_bytes(buffer.getvalue())
    duplicates = 0
    for event_id in ids:
        duplicates += event_id in seen_ids
        seen_ids.add(event_id)
    assert path not in manifest, path
    manifest[path] = {"table": table, "records": records, "rejects": rejects, "duplicates": duplicates}


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def suffix(text, length=16):
    """The random end of a delivered file's name, here from its content's name."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return "".join(random.Random("suffix " + text).choices(alphabet, k=length))


def trail_path(account, region, time, end):
    return (f"AWSLogs/{account}/CloudTrail/{region}/{time:%Y/%m/%d}/"
            f"{account}_CloudTrail_{region}_{time:%Y%m%dT%H%MZ}_{end}.json.gz")


def write_trail(account, region, time, records, end=None):
    end = end or suffix(f"{account} {region} {time}")
    write(trail_path(account, region, time, end), compact({"Records": records}), "cloudtrail", len(records),
          ids=[record["eventID"] for record in records])


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


# ---- recordings and samples ---------------------------------------------------------------------------------------

def recordings():
    """The attack recordings and one real account's deliveries, events unchanged; returns where and when each attack was."""
    places = []
    for source in sorted((DATA / "cloudtrail/stratus").glob("*.json.gz")):
        records = json.loads(gzip.decompress(source.read_bytes()))["Records"]
        last = max(instant(record["eventTime"]) for record in records)
        account, region = records[0]["recipientAccountId"], records[0]["awsRegion"]
        write_trail(account, region, last + datetime.timedelta(minutes=5), records, suffix(source.name))
        places.append((account, region, last))
    for source in sorted((DATA / "cloudtrail/account").glob("*.json")):
        account, _, region, stamp, end = source.name.removesuffix(".json").split("_")
        time = datetime.datetime.strptime(stamp, "%Y%m%dT%H%MZ")
        text = source.read_text()
        records = json.loads(text)["Records"]
        write(trail_path(account, region, time, end), text, "cloudtrail", len(records),
              ids=[record["eventID"] for record in records])
    return places


def samples():
    """Documents of other projects: EventBridge envelopes, as Firehose writes them, and Glue and VPC flow samples."""
    envelopes = []
    for source in sorted((DATA / "cloudtrail/eventbridge").glob("*.json")):
        envelope = json.loads(source.read_text())
        if "detail" in envelope:
            envelopes.append(envelope)
    write("eventbridge/security-events-1-2024-08-01-09-00-00.gz", "".join(compact(e) + "\n" for e in envelopes),
          "cloudtrail", len(envelopes), ids=[e["detail"]["eventID"] for e in envelopes])

    for name, count in (("get-job-run", 1), ("get-job-runs", 3)):
        write(f"glue/job-runs/aws-cli-{name}.json.gz", (DATA / f"glue_job_run/{name}.json").read_text(),
              "glue_job_run", count)
    text = (DATA / "glue_log/spark-driver.log").read_text()
    entries = sum(bool(re.match(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d", line)) for line in text.splitlines())
    write("glue/logs/spark-driver.log.gz", text, "glue_log", entries)

    lines = VPC_SAMPLE.strip().splitlines()
    write("vpcflow-samples/v2-default.log.gz", "\n".join([V2, *lines]) + "\n", "vpc_flow", len(lines))


# Distinct lines found in opensearch-project/opensearch-catalog and DataDog/datadog-serverless-functions, Apache-2.0.
VPC_SAMPLE = """
2 111111111111 eni-0e250409d410e1290 162.142.125.177 10.0.0.200 38471 12313 6 1 44 1674898496 1674898507 ACCEPT OK
2 121111111111 eni-0e250409d410e1290 162.142.125.177 10.0.0.200 38471 12313 6 1 44 1674898496 1674898507 ACCEPT OK
2 481665107626 eni-0e52602be7b6a5fb0 4.151.38.185 10.0.9.150 36869 5984 6 1 40 1727472823 1727472846 ACCEPT OK
3 111111111112 eni-0e250409d410e1291 162.142.125.178 10.0.0.201 38472 12314 6 2 45 1674898497 1674898508 ACCEPT OK
4 111111111113 eni-0e250409d410e1292 162.142.125.179 10.0.0.202 38473 12315 6 3 46 1674898498 1674898509 ACCEPT OK
2 123456789010 eni-abc123de 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK
2 123456789012 eni-abc123 10.0.0.1 10.0.0.2 443 49152 6 10 840 1620000000 1620000060 ACCEPT OK
2 123456789012 eni-abc123 10.0.0.2 10.0.0.1 49152 443 6 8 640 1620000000 1620000060 ACCEPT OK
"""


# ---- generated CloudTrail -----------------------------------------------------------------------------------------

class Trail:
    """Ordinary calls of one account and Region. Ids count upwards, so that they take little room when compressed."""

    def __init__(self, account, region, seed):
        self.account, self.region = account, region
        self.random = random.Random(f"{seed} {account} {region}")
        self.prefix = f"{self.random.getrandbits(32):08x}-{self.random.getrandbits(16):04x}-4b1e-9{self.random.getrandbits(12):03x}"
        self.count = 0
        self.records = []
        self.time = DAY

    def role(self, name, session, creation="2024-08-01T06:00:11Z", path="", invoked_by=None, mfa="false"):
        stable = random.Random(f"{self.account} {name}")
        unique = "AROA" + "".join(stable.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=17))
        identity = {
            "type": "AssumedRole", "principalId": f"{unique}:{session}",
            "arn": f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}", "accountId": self.account,
            "accessKeyId": "ASIA" + "".join(stable.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)),
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": unique,
                                  "arn": f"arn:aws:iam::{self.account}:role/{path}{name}",
                                  "accountId": self.account, "userName": name},
                "attributes": {"creationDate": creation, "mfaAuthenticated": mfa}}}
        if invoked_by:
            identity["invokedBy"] = invoked_by
        return identity

    def service(self, name):
        return {"type": "AWSService", "invokedBy": name}

    def call(self, who, service, action, request=None, ip="10.0.0.1", agent="", read=True, response=None,
             error=None, message=None, category="Management", resources=None, kind="AwsApiCall", extra=None, tls=True):
        self.count += 1
        self.time += datetime.timedelta(seconds=self.random.choice((0, 0, 0, 0, 0, 0, 0, 0, 0, 1)))
        host = service if service in ("iam", "sts") else f"{service}.{self.region}"
        record = {"eventVersion": "1.09", "userIdentity": who, "eventTime": f"{self.time:%Y-%m-%dT%H:%M:%SZ}",
                  "eventSource": f"{service}.amazonaws.com", "eventName": action, "awsRegion": self.region,
                  "sourceIPAddress": ip, "userAgent": agent}
        if error:
            record |= {"errorCode": error, "errorMessage": message}
        record |= {"requestParameters": request, "responseElements": response}
        if extra:
            record["additionalEventData"] = extra
        record |= {"requestID": f"{self.prefix[:23]}-a{self.count:011x}", "eventID": f"{self.prefix}-e{self.count:011x}",
                   "readOnly": read}
        if resources:
            record["resources"] = resources
        record |= {"eventType": kind, "managementEvent": category == "Management",
                   "recipientAccountId": self.account, "eventCategory": category}
        if tls and "amazonaws.com" not in ip:
            record["tlsDetails"] = {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
                                    "clientProvidedHostHeader": f"{host}.amazonaws.com"}
        self.records.append(record)

    # Each burst below is what one actor does in one go. It takes how many calls it should make, about.

    def terraform(self, n):
        """A plan reads everything, a deployment then changes a little."""
        github = "token.actions.githubusercontent.com"
        ip, agent = "203.0.113.40", ("APN/1.0 HashiCorp/1.0 Terraform/1.8.5 (+https://www.terraform.io) "
                                     "terraform-provider-aws/5.60.0 (+https://registry.terraform.io/providers/hashicorp/aws) "
                                     "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64")
        subject = "repo:example/infrastructure:ref:refs/heads/main"
        self.call({"type": "WebIdentityUser", "principalId": f"arn:aws:iam::{self.account}:oidc-provider/{github}:sts.amazonaws.com:{subject}",
                   "userName": subject, "identityProvider": f"arn:aws:iam::{self.account}:oidc-provider/{github}"},
                  "sts", "AssumeRoleWithWebIdentity",
                  {"roleArn": f"arn:aws:iam::{self.account}:role/terraform-deploy", "roleSessionName": "GitHubActions", "durationSeconds": 3600},
                  ip, agent, response={"subjectFromWebIdentityToken": subject, "audience": "sts.amazonaws.com"})
        who = self.role("terraform-deploy", "GitHubActions", f"{self.time:%Y-%m-%dT%H:%M:%SZ}")
        reads = [("iam", "GetRole", "roleName", "svc-{}"), ("iam", "ListRolePolicies", "roleName", "svc-{}"),
                 ("iam", "ListAttachedRolePolicies", "roleName", "svc-{}"), ("lambda", "GetFunction20150331v2", "functionName", "fn-{}"),
                 ("s3", "GetBucketPolicy", "bucketName", "example-data-{}"), ("s3", "GetBucketAcl", "bucketName", "example-data-{}"),
                 ("kms", "DescribeKey", "keyId", "alias/app-{}"), ("logs", "ListTagsForResource", "resourceArn", "fn-{}"),
                 ("ec2", "DescribeSecurityGroups", "groupName", "web-{}"), ("dynamodb", "DescribeTable", "tableName", "table-{}")]
        for service, action, key, value in self.random.sample(reads, 4):
            for item in range(n // 4):
                self.call(who, service, action, {key: value.format(item)}, ip, agent)
        self.call(who, "lambda", "UpdateFunctionCode20150331v2", {"functionName": "fn-3", "publish": False, "dryRun": False},
                  ip, agent, read=False, response={"functionName": "fn-3", "runtime": "python3.12", "version": "$LATEST"})
        self.call(who, "s3", "PutBucketTagging", {"bucketName": "example-data-2", "tagging": "", "Tagging": {"TagSet": {"Tag": [{"Key": "team", "Value": "web"}]}}},
                  ip, agent, read=False)

    def config_recorder(self, n):
        who = self.role("AWSServiceRoleForConfig", "configLambdaExecution", path="aws-service-role/config.amazonaws.com/",
                        invoked_by="config.amazonaws.com")
        for service, action in self.random.sample([("ec2", "DescribeVolumes"), ("ec2", "DescribeNetworkInterfaces"),
                                                   ("rds", "DescribeDBInstances"), ("autoscaling", "DescribeAutoScalingGroups"),
                                                   ("elasticloadbalancing", "DescribeLoadBalancers")], 2):
            for page in range(n // 2):
                self.call(who, service, action, {"maxResults": 100, "page": page}, "config.amazonaws.com", "config.amazonaws.com")

    def agents(self, n):
        """SSM agents report in."""
        for item in range(n):
            host = self.random.randrange(12)
            self.call(self.role("app-instance", f"i-0a1b2c3d4e5f6070{host:x}"), "ssm", "UpdateInstanceInformation",
                      {"instanceId": f"i-0a1b2c3d4e5f6070{host:x}", "agentVersion": "3.3.551.0", "agentStatus": "Active", "platformType": "Linux",
                       "platformName": "Amazon Linux", "platformVersion": "2023", "iPAddress": f"10.0.1.{20 + host}"},
                      f"10.0.1.{20 + host}", "amazon-ssm-agent/3.3.551.0", read=False)

    def decrypts(self, n):
        """A service reads what is encrypted with its key, the day long."""
        key = f"arn:aws:kms:{self.region}:{self.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        for item in range(n):
            order = self.random.randrange(400)
            self.call(self.role("app-orders", "botocore-session-1722491000"), "kms", "Decrypt",
                      {"encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::example-orders/2024/08/01/{order}.json"}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
                      "10.0.1.31", "Boto3/1.34.150 md/Botocore#1.34.150 ua/2.0 os/linux#6.1.97 md/arch#aarch64 lang/python#3.12.4",
                      resources=[{"accountId": self.account, "type": "AWS::KMS::Key", "ARN": key}])

    def secrets(self, n):
        """An application reads its own secret and parameters when it starts."""
        who = self.role("app-orders", "botocore-session-1722491000")
        agent = "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#arm64"
        self.call(who, "secretsmanager", "GetSecretValue", {"secretId": "orders/database"}, "10.0.1.31", agent)
        for item in range(min(n, 4)):
            self.call(who, "ssm", "GetParameter", {"name": f"/orders/flag-{item}", "withDecryption": False}, "10.0.1.31", agent)

    def service_sessions(self, n):
        """EC2, Lambda and ECS take the roles of what they run."""
        for item in range(n):
            name, role = self.random.choice((("ec2.amazonaws.com", "app-instance"), ("lambda.amazonaws.com", "fn-orders"), ("ecs-tasks.amazonaws.com", "app-orders")))
            arn = f"arn:aws:iam::{self.account}:role/{role}"
            self.call(self.service(name), "sts", "AssumeRole", {"roleArn": arn, "roleSessionName": "fn-orders" if "lambda" in name else "i-0a1b2c3d4e5f60701"},
                      name, name, resources=[{"accountId": self.account, "type": "AWS::IAM::Role", "ARN": arn}])

    def deliveries(self, n):
        """Log deliveries, one of them denied by the bucket's policy as happens for months where nobody looks."""
        for item in range(n):
            self.call(self.service("cloudtrail.amazonaws.com"), "s3", "GetBucketAcl", {"bucketName": "example-trail", "Host": f"example-trail.s3.{self.region}.amazonaws.com", "acl": ""},
                      "cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com",
                      resources=[{"accountId": self.account, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::example-trail"}])
        self.call(self.service("delivery.logs.amazonaws.com"), "s3", "PutObject", {"bucketName": "example-old-logs", "key": "AWSLogs/flow.log.gz"},
                  "delivery.logs.amazonaws.com", "delivery.logs.amazonaws.com", read=False, error="AccessDenied", message="Access Denied", category="Data",
                  resources=[{"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::example-old-logs/AWSLogs/flow.log.gz"}])

    def autoscaling(self, n):
        who = self.role("AWSServiceRoleForAutoScaling", "AutoScaling", path="aws-service-role/autoscaling.amazonaws.com/", invoked_by="autoscaling.amazonaws.com")
        at = ("autoscaling.amazonaws.com", "autoscaling.amazonaws.com")
        self.call(who, "ec2", "RunInstances", {"instancesSet": {"items": [{"imageId": "ami-0abcdef1234567890", "minCount": 1, "maxCount": 1}]}, "instanceType": "m7g.large"},
                  *at, read=False, response={"instancesSet": {"items": [{"instanceId": "i-0a1b2c3d4e5f60709", "instanceType": "m7g.large"}]}})
        for item in range(n // 2):
            self.call(who, "ec2", "DescribeInstanceStatus", {"instancesSet": {"items": [{"instanceId": f"i-0a1b2c3d4e5f6070{item % 12:x}"}]}, "includeAllInstances": True}, *at)

    def containers(self, n):
        agent = "Amazon ECS Agent - v1.85.1 (4fe5d1c5) (+http://aws.amazon.com/ecs/)"
        who = self.role("ecsInstanceRole", "i-0a1b2c3d4e5f60703")
        for item in range(n // 2):
            self.call(who, "ecr", "GetAuthorizationToken", {"registryIds": [self.account]}, "10.0.1.33", agent)
            self.call(who, "ecr", "BatchGetImage", {"registryId": self.account, "repositoryName": "orders", "imageIds": [{"imageTag": f"build-{item + 1200}"}]}, "10.0.1.33", agent)

    def console(self, n):
        """A person signs in through IAM Identity Center and looks around; some pages are not hers to see."""
        who = self.role("AWSReservedSSO_ReadOnly_0123456789abcdef", "ann@example.com", f"{self.time:%Y-%m-%dT%H:%M:%SZ}",
                        path="aws-reserved/sso.amazonaws.com/")
        ip, agent = "198.51.100.23", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36"
        self.call(who, "signin", "ConsoleLogin", None, ip, agent, read=False, response={"ConsoleLogin": "Success"}, kind="AwsConsoleSignIn",
                  extra={"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "No"})
        for item in range(n):
            service, action, request = self.random.choice((
                ("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}), ("cloudwatch", "DescribeAlarms", {"maxRecords": 100}),
                ("logs", "DescribeLogGroups", {"limit": 50}), ("health", "DescribeEventAggregates", {"aggregateField": "eventTypeCategory"}),
                ("lambda", "ListFunctions20150331", {"maxItems": 50}), ("s3", "ListBuckets", {"Host": "s3.amazonaws.com"})))
            service = {"cloudwatch": "monitoring"}.get(service, service)
            self.call(who, service, action, request, ip, agent)
        self.call(who, "ce", "GetCostAndUsage", None, ip, agent, error="AccessDenied", message="not authorized to perform: ce:GetCostAndUsage")

    def backups(self, n):
        who = self.role("AWSBackupDefaultServiceRole", "AWSBackup-AWSBackupDefaultServiceRole", path="service-role/", invoked_by="backup.amazonaws.com")
        for item in range(min(n, 6)):
            self.call(who, "ec2", "CreateSnapshot", {"volumeId": f"vol-0a1b2c3d4e5f6070{item}", "description": "This snapshot is created by the AWS Backup service."},
                      "backup.amazonaws.com", "backup.amazonaws.com", read=False, response={"snapshotId": f"snap-0a1b2c3d4e5f6070{item}", "encrypted": True})

    def stack(self, n):
        who = self.role("cdk-cfn-exec-role", "AWSCloudFormation", invoked_by="cloudformation.amazonaws.com")
        at = ("cloudformation.amazonaws.com", "cloudformation.amazonaws.com")
        for item in range(min(n, 8)):
            self.call(who, "logs", "CreateLogGroup", {"logGroupName": f"/aws/lambda/fn-{item}"}, *at, read=False)
            self.call(who, "logs", "PutRetentionPolicy", {"logGroupName": f"/aws/lambda/fn-{item}", "retentionInDays": 30}, *at, read=False)

    def glue_catalog(self, n):
        """A job reads and extends its tables; the scheduler starts it."""
        job = self.role("GlueOrders", "GlueJobRunnerSession")
        agent = "aws-sdk-java/1.12.725 Linux/5.10.219 OpenJDK_64-Bit_Server_VM/17.0.11 scala/2.12.18 vendor/Amazon.com_Inc. exec-env/GlueJob"
        self.call(self.role("scheduler", "mwaa"), "glue", "StartJobRun", {"jobName": "orders-daily", "arguments": {"--day": "2024-08-01"}}, "10.0.2.15", "Boto3/1.34.150", read=False,
                  response={"jobRunId": "jr_" + f"{self.random.getrandbits(64):016x}" * 4})
        for item in range(n):
            table = f"orders_{item % 20}"
            action = self.random.choice(("GetTable", "GetPartitions", "GetTable", "GetDatabase"))
            request = {"name": "lake"} if action == "GetDatabase" else {"databaseName": "lake", ("name" if action == "GetTable" else "tableName"): table}
            self.call(job, "glue", action, request, "10.0.2.40", agent)
        self.call(job, "glue", "BatchCreatePartition", {"databaseName": "lake", "tableName": "orders_0", "partitionInputList": [{"values": ["2024-08-01"]}]}, "10.0.2.40", agent, read=False,
                  response={"errors": []})

    def queries(self, n):
        who, agent = self.role("analyst-dashboards", "superset"), "Boto3/1.34.150 md/Botocore#1.34.150 exec-env/AWS_ECS_FARGATE"
        for item in range(n // 3):
            query = f"5f0c1d2e-0000-4000-8000-{self.count:012x}"
            self.call(who, "athena", "StartQueryExecution", {"queryString": "HIDDEN_DUE_TO_SECURITY_REASONS", "workGroup": "primary"}, "10.0.2.60", agent, read=False, response={"queryExecutionId": query})
            self.call(who, "athena", "GetQueryExecution", {"queryExecutionId": query}, "10.0.2.60", agent)
            self.call(who, "athena", "GetQueryResults", {"queryExecutionId": query}, "10.0.2.60", agent)

    def throttled(self, n):
        for item in range(min(n, 5)):
            self.call(self.role("monitoring", "datadog"), "monitoring", "GetMetricData", None, "192.0.2.80", "Go-http-client/1.1",
                      error="ThrottlingException", message="Rate exceeded")

    WEB = [(terraform, 3), (config_recorder, 4), (agents, 6), (decrypts, 8), (secrets, 1), (service_sessions, 4), (deliveries, 2),
           (autoscaling, 2), (containers, 3), (console, 1), (backups, 1), (stack, 1), (throttled, 1)]
    DATA_PLATFORM = [(glue_catalog, 8), (queries, 5), (decrypts, 4), (config_recorder, 2), (deliveries, 1), (service_sessions, 2), (terraform, 1)]
    SMALL = [(config_recorder, 1), (deliveries, 1), (service_sessions, 1), (agents, 2)]

    def fill(self, count, start, minutes, mix):
        """About `count` records between `start` and `start` + `minutes`, oldest first."""
        self.records = []
        bursts, weights = zip(*mix)
        while len(self.records) < count:
            self.time = start + datetime.timedelta(minutes=minutes * len(self.records) / count)
            self.random.choices(bursts, weights)[0](self, self.random.randint(20, 120))
        return self.records


def trails(places):
    """Two accounts through a working day, and a little ordinary traffic around each recorded attack."""
    for account, region, mix, per_file in ((PRODUCTION, "us-east-1", Trail.WEB, 620), (PRODUCTION, "eu-west-1", Trail.WEB, 220),
                                           (LAKE, "us-east-1", Trail.DATA_PLATFORM, 480)):
        trail = Trail(account, region, "day")
        # AWS delivers every 5 minutes; by the hour, the same events are half the size
        for hour in range(12):
            start = DAY + datetime.timedelta(hours=6 + hour)
            records = trail.fill(per_file, start, 60, mix)
            end = start + datetime.timedelta(minutes=65)
            if (account, region, hour) == (PRODUCTION, "eu-west-1", 3):
                damaged(account, region, end, records)
                continue
            write_trail(account, region, end, records)
            if (account, region, hour) == (PRODUCTION, "us-east-1", 4):
                # CloudTrail delivers at least once
                write_trail(account, region, end, records, suffix("delivered again"))
    for number, (account, region, time) in enumerate(places):
        trail = Trail(account, region, number)
        write_trail(account, region, time + datetime.timedelta(minutes=35), trail.fill(50, time - datetime.timedelta(minutes=10), 40, Trail.SMALL))


def damaged(account, region, time, records):
    """One record in the middle has lost its end; its neighbours are whole."""
    texts = [compact(record) for record in records]
    middle = len(texts) // 2
    texts[middle] = texts[middle][: texts[middle].index(',"eventTime"')]
    write(trail_path(account, region, time, suffix("damaged")), '{"Records":[' + ",".join(texts) + "]}", "cloudtrail", len(records), rejects=1,
          ids=[record["eventID"] for number, record in enumerate(records) if number != middle])


# ---- generated VPC flows ------------------------------------------------------------------------------------------

V2 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
V5 = V2 + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path"


def flows():
    """Web servers, a database and a bastion; the internet knocks on every port, as it always does."""
    for account, version, per_file, files in ((PRODUCTION, 5, 700, 18), (LAKE, 2, 500, 16)):
        rng = random.Random(f"flows {account}")
        for number in range(files):
            start = DAY + datetime.timedelta(hours=8, minutes=10 * number)
            lines = []
            while len(lines) < per_file:
                lines += exchange(rng, account, version, int(start.timestamp()) + 600 * len(lines) // per_file // 60 * 60)
            time = start + datetime.timedelta(minutes=10)
            write(f"AWSLogs/{account}/vpcflowlogs/us-east-1/{time:%Y/%m/%d}/{account}_vpcflowlogs_us-east-1_fl-0{account}f00d_{time:%Y%m%dT%H%MZ}_{suffix(f'{account} {number}', 8).lower()}.log.gz",
                  "\n".join([V5 if version == 5 else V2, *lines]) + "\n", "vpc_flow", len(lines))


def exchange(rng, account, version, start):
    """The flow records of one conversation, or of one knock: a list of lines."""
    host = rng.randrange(6)
    here, eni = f"10.0.1.{20 + host}", f"eni-0a1b2c3d4e5f6070{host}"
    # few ports and clients: what does not repeat is what the demo's size is made of
    port = 49152 + rng.randrange(64)
    client = f"198.51.100.{rng.randrange(20, 60)}"
    end = start + 58

    def line(source, target, source_port, target_port, packets, size, action="ACCEPT", flags=3, protocol=6):
        ingress = target == here
        text = f"{version} {account} {eni} {source} {target} {source_port} {target_port} {protocol} {packets} {size} {start} {end} {action} OK"
        if version == 5:
            text += (f" vpc-0a1b2c3d4e5f60718 subnet-0a1b2c3d4e5f60718 i-0a1b2c3d4e5f6070{host} {flags} IPv4 {source} {target} us-east-1 use1-az1"
                     f" {'ingress -' if ingress else 'egress 8'}")
        return text

    def both(a, b, a_port, b_port, packets, size):
        return [line(a, b, a_port, b_port, packets, packets * 60, flags=3), line(b, a, b_port, a_port, packets, size, flags=19)]

    packets = rng.choice((8, 12))
    kind = rng.choices(("web", "database", "out", "knock", "quiet", "ssh", "lost"), (50, 20, 12, 25, 3, 0.4, 0.1))[0]
    if kind == "web":
        return both(client, here, port, 443, packets, packets * rng.choice((300, 700)))
    if kind == "database":
        return both(here, "10.0.3.10", port, 5432, packets, packets * 200)
    if kind == "out":
        return both(here, f"203.0.113.{rng.randrange(40, 60)}", port, 443, packets, packets * 500)
    if kind == "knock":
        target = rng.choice((22, 23, 80, 443, 445, 1433, 2375, 3306, 3389, 5432, 5900, 6379, 8080, 8443, 9200))
        return [line(f"192.0.2.{rng.randrange(1, 255)}", here, port, target, 1, 40, "REJECT", flags=2)]
    if kind == "ssh":
        # the bastion takes SSH from everywhere, and knocks come through with the rest
        here, eni, host = "10.0.1.20", "eni-0a1b2c3d4e5f60700", 0
        return [line(f"192.0.2.{rng.randrange(1, 8)}", here, port, 22, 1, 40, flags=2)]
    status = "NODATA" if kind == "quiet" else "SKIPDATA"
    text = f"{version} {account} {eni} - - - - - - - {start} {end} - {status}"
    return [text + (f" vpc-0a1b2c3d4e5f60718 subnet-0a1b2c3d4e5f60718 i-0a1b2c3d4e5f6070{host} - - - - us-east-1 use1-az1 - -" if version == 5 else "")]


# ---- generated Glue -----------------------------------------------------------------------------------------------

def glue():
    rng = random.Random("glue")
    jobs = [("orders-daily", "5.0", "G.1X", 10, "lake-kms"), ("customers-hourly", "5.0", "G.1X", 5, "lake-kms"),
            ("clicks-stream", "4.0", "G.025X", 2, "lake-kms"), ("inventory-sync", "4.0", "G.2X", 4, "lake-kms"),
            ("finance-close", "5.0", "G.2X", 8, "lake-kms"), ("legacy-import", "4.0", "Standard", 5, None)]
    for job, version, worker, workers, security in jobs:
        runs = []
        for number in range(40):
            started = DAY.timestamp() - 86400 * (40 - number) + rng.randrange(7200)
            seconds = max(60, int(rng.gauss(420, 60)))
            run = {"Id": "jr_" + f"{rng.getrandbits(256):064x}", "Attempt": 0, "TriggerName": f"{job}-schedule", "JobName": job,
                   "StartedOn": started, "LastModifiedOn": started + seconds + 30, "CompletedOn": started + seconds + 30, "JobRunState": "SUCCEEDED",
                   "Arguments": {"--day": f"{DAY - datetime.timedelta(days=40 - number):%Y-%m-%d}", "--enable-metrics": "true"},
                   "PredecessorRuns": [], "AllocatedCapacity": workers, "ExecutionTime": seconds, "Timeout": 480, "MaxCapacity": float(workers),
                   "WorkerType": worker, "NumberOfWorkers": workers, "LogGroupName": "/aws-glue/jobs", "GlueVersion": version, "ExecutionClass": "STANDARD"}
            if security:
                run["SecurityConfiguration"] = security
            if job == "inventory-sync" and number == 31:
                run |= {"JobRunState": "FAILED", "ErrorMessage": "java.lang.OutOfMemoryError: Java heap space"}
            if job == "legacy-import" and number > 36:
                # somebody in a hurry: a password in plain text, which every reader of the job can see
                run["Arguments"]["--source-password"] = "example-Passw0rd"
            runs.append(run)
        write(f"AWSLogs/{LAKE}/GlueJobRuns/us-east-1/{DAY:%Y/%m/%d}/{job}.json.gz", compact({"JobRuns": runs[::-1]}), "glue_job_run", len(runs))

    for number in range(6):
        run_id = "jr_" + f"{rng.getrandbits(256):064x}"
        events = []
        for line in range(120):
            time = DAY + datetime.timedelta(hours=2 + number, seconds=3 * line)
            text = rng.choice((
                f"INFO TaskSetManager: Finished task {line}.0 in stage 7.0 (TID {line + 41}) in {rng.randrange(80, 900)} ms on 172.34.1.{rng.randrange(2, 9)} (executor {rng.randrange(1, 9)}) ({line}/200)",
                f"INFO MemoryStore: Block broadcast_{line} stored as values in memory (estimated size 12.4 KiB, free 5.8 GiB)",
                f"INFO BlockManagerInfo: Added broadcast_{line}_piece0 in memory on 172.34.1.5:41231 (size: 5.1 KiB, free: 5.8 GiB)"))
            if (number, line) == (3, 90):
                text = ("ERROR ProcessLauncher: Error from Python:Traceback (most recent call last):\n  File \"/tmp/inventory.py\", line 88, in <module>\n"
                        "    frame.collect()\npy4j.protocol.Py4JJavaError: An error occurred while calling o122.collectToPython.\n: java.lang.OutOfMemoryError: Java heap space")
            events.append({"id": f"3840{number}{line:050d}", "timestamp": int(time.timestamp() * 1000), "message": f"{time:%y/%m/%d %H:%M:%S} {text}\n"})
        envelope = {"messageType": "DATA_MESSAGE", "owner": LAKE, "logGroup": "/aws-glue/jobs/logs-v2", "logStream": f"{run_id}-driver",
                    "subscriptionFilters": ["to-s3"], "logEvents": events}
        write(f"glue/logs/logs-v2-{number + 1}-2024-08-01-{2 + number:02}-10-00.gz", compact(envelope), "glue_log", len(events))


def main():
    for folder in ("AWSLogs", "eventbridge", "glue", "vpcflow-samples"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    places = recordings()
    samples()
    trails(places)
    flows()
    glue()
    totals = {}
    for entry in manifest.values():
        total = totals.setdefault(entry["table"], {"records": 0, "rejects": 0, "duplicates": 0})
        for key in total:
            total[key] += entry[key]
    (HERE / "manifest.json").write_text(json.dumps({"totals": totals, "files": dict(sorted(manifest.items()))}, indent=1) + "\n")
    size = sum((HERE / path).stat().st_size for path in manifest)
    print(f"{len(manifest)} files, {size:,} bytes", json.dumps(totals))


if __name__ == "__main__":
    main()
