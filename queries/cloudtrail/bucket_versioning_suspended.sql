-- title    = "S3 bucket versioning was suspended or MFA delete turned off"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1490", "cis.2.1.2"]
-- remedy   = "Turn versioning and MFA delete on again; look for DeleteObject and PutObject in bulk by this principal, which nothing undoes from now on."
SELECT eventTime,
       requestParameters -> 'VersioningConfiguration' ->> 'Status' AS status,
       requestParameters -> 'VersioningConfiguration' ->> 'MfaDelete' AS mfa_delete,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketVersioning'
  AND errorCode IS NULL
  AND (requestParameters -> 'VersioningConfiguration' ->> 'Status' = 'Suspended'
       OR coalesce(requestParameters -> 'VersioningConfiguration' ->> 'MfaDelete', requestParameters -> 'VersioningConfiguration' ->> 'MFADelete') = 'Disabled')
